//! One node, no emulator: memory, processes, futexes and system calls under a scripted CPU.

mod areas;
mod descriptors;
mod edges;
mod files;
mod freed;
mod futex;
mod hostile;
mod mm;
mod process;
mod scheduler;
mod script;
mod signals;
