//! The process server: a thread's way to another node and back. Models `kernel/popcorn/process_server.c` of K52, function for function.
//!
//! ```text
//! home thread T                     home kernel                      guest kernel
//! popcorn_migrate ->  process_server_do_migration
//!                     request_clone_remote -- TASK_MIGRATE ------->  handle_clone_request -> popcorn_wq
//! T is a shadow now:                                                 clone_remote_thread: worker there?
//!   process_remote_works                                             none: remote_worker_main, construct_mm
//!                                                                    run_remote_worker: fork_remote_thread
//!                     handle_task_pairing <-- TASK_PAIRING --------  remote_thread_main: restore_thread_info
//!   serves VMA, futex, system call requests                          R runs user code
//! T goes on  <------  TASK_MIGRATE_BACK ---------------------------  R: do_back_migration, exits "parked"
//! ```
//!
//! Three kinds of task take part. The *shadow* is the original thread, blocked inside popcorn_migrate at home, serving its remote twin. The
//! *remote worker* stands for the process at a guest: it builds the address space, starts remote threads and runs no user code. A
//! *remote thread* is the twin that runs.
//!
//! Left out, as in K52: descriptors do not travel, FP/SIMD registers are not restored (guest code does that). How signals find a thread that is
//! away is an extension: [`crate::signal::remote`].

mod exit;
mod migrate;
mod one_life;
mod pairing;
mod remote_clone;
mod shadow;
mod status;
mod thread_info;
mod worker;

pub use exit::process_server_task_exit;
pub use migrate::{Migrated, handle_onward_reply, sys_popcorn_migrate};
pub use one_life::check_one_life;
pub use pairing::handle_task_pairing;
pub use remote_clone::clone_at_remote;
pub(crate) use remote_clone::serve_remote_clone;
pub(crate) use shadow::end_before_reply;
pub use status::{
    sys_popcorn_get_node_info, sys_popcorn_get_thread_status, sys_popcorn_propose_migration,
};
pub use worker::{handle_clone_request, handle_signal_fwd};
