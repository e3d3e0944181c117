//! Who am I: getpid(2) and its like. There is one user, root, and a process' parent is outside the model (pid 0).

use isa::Errno;

use super::Call;

/// getpid(2). At a guest it is forwarded home, so that a process has one id.
pub(super) async fn getpid(call: Call<'_>) -> Result<u64, Errno> {
    Ok(call.task.tgid().0.unsigned_abs().into())
}

/// gettid(2): the task's id on this node; it changes with every migration, as in K52.
pub(super) async fn gettid(call: Call<'_>) -> Result<u64, Errno> {
    Ok(call.task.pid.0.unsigned_abs().into())
}

/// getppid(2): nobody that the process could see.
pub(super) async fn getppid(_: Call<'_>) -> Result<u64, Errno> {
    Ok(0)
}

/// getuid(2), geteuid(2), getgid(2), getegid(2).
pub(super) async fn root(_: Call<'_>) -> Result<u64, Errno> {
    Ok(0)
}
