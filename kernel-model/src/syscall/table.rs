//! Which calls are implemented, and where.

use std::future::Future;
use std::pin::Pin;

use isa::syscall::Sysno;

use super::{
    Call, SyscallOutcome, SyscallResult, file, futex_call, identity, itimer, memory, signal_action,
    signal_mask, signal_send, system, threads, time,
};

/// An implementation, as the table holds it.
pub(super) type Implementation =
    for<'a> fn(Call<'a>) -> Pin<Box<dyn Future<Output = SyscallResult> + 'a>>;

/// The implementation of a call, if there is one.
pub(super) fn implementation(sysno: Sysno) -> Option<Implementation> {
    TABLE
        .iter()
        .find(|(call, _)| *call == sysno)
        .map(|(_, run)| *run)
}

/// The calls that are implemented, by how often programs use them.
pub(super) fn implemented() -> impl Iterator<Item = Sysno> {
    TABLE.iter().map(|(call, _)| *call)
}

macro_rules! calls {
    ($($sysno:ident => $path:path,)*) => {
        &[$((Sysno::$sysno, {
            fn run(call: Call<'_>) -> Pin<Box<dyn Future<Output = SyscallResult> + '_>> {
                Box::pin(async move { $path(call).await.map(SyscallOutcome::from) })
            }
            run
        })),*]
    };
}

/// The table, roughly by how often programs use them.
const TABLE: &[(Sysno, Implementation)] = calls! {
    Futex => futex_call::futex,
    Write => file::write,
    SchedYield => threads::sched_yield,
    ClockGettime => time::clock_gettime,
    Getpid => identity::getpid,
    Gettid => identity::gettid,
    Read => file::read,
    Readv => file::readv,
    Writev => file::writev,
    Pread64 => file::pread64,
    Pwrite64 => file::pwrite64,
    Preadv => file::preadv,
    Pwritev => file::pwritev,
    Open => file::open,
    Openat => file::openat,
    Creat => file::creat,
    Close => file::close,
    Fstat => file::fstat,
    Stat => file::stat,
    Lstat => file::lstat,
    Newfstatat => file::newfstatat,
    Statx => file::statx,
    Lseek => file::lseek,
    Ioctl => file::ioctl,
    Fcntl => file::fcntl,
    Dup => file::dup,
    Dup2 => file::dup2,
    Dup3 => file::dup3,
    Pipe => file::pipe,
    Pipe2 => file::pipe2,
    Poll => file::poll,
    Ppoll => file::ppoll,
    Access => file::access,
    Faccessat => file::faccessat,
    Faccessat2 => file::faccessat,
    Readlink => file::readlink,
    Readlinkat => file::readlinkat,
    Getdents64 => file::getdents64,
    Getcwd => file::getcwd,
    Chdir => file::chdir,
    Fchdir => file::fchdir,
    Mkdir => file::mkdir,
    Mkdirat => file::mkdirat,
    Rmdir => file::rmdir,
    Unlink => file::unlink,
    Unlinkat => file::unlinkat,
    Rename => file::rename,
    Renameat => file::renameat,
    Renameat2 => file::renameat2,
    Link => file::link,
    Linkat => file::linkat,
    Symlink => file::symlink,
    Symlinkat => file::symlinkat,
    Truncate => file::truncate,
    Ftruncate => file::ftruncate,
    Fsync => file::fsync,
    Fdatasync => file::fsync,
    Umask => file::umask,
    Chmod => file::chmod,
    Fchmod => file::fchmod,
    Fchmodat => file::fchmodat,
    Chown => file::chown,
    Fchown => file::fchown,
    Lchown => file::lchown,
    Fchownat => file::fchownat,
    Utimensat => file::utimensat,
    Statfs => file::statfs,
    Fstatfs => file::fstatfs,
    Sync => system::sync,
    Mmap => memory::mmap,
    Munmap => memory::munmap,
    Mprotect => memory::mprotect,
    Madvise => memory::madvise,
    Brk => memory::brk,
    Mremap => memory::mremap,
    Msync => memory::msync,
    Exit => threads::exit,
    ExitGroup => threads::exit_group,
    Clone => threads::clone,
    SetTidAddress => threads::set_tid_address,
    SetRobustList => threads::set_robust_list,
    GetRobustList => threads::get_robust_list,
    SchedGetaffinity => threads::sched_getaffinity,
    Getcpu => threads::getcpu,
    ArchPrctl => threads::arch_prctl,
    Nanosleep => time::nanosleep,
    ClockNanosleep => time::clock_nanosleep,
    ClockGetres => time::clock_getres,
    Gettimeofday => time::gettimeofday,
    Time => time::time,
    RtSigaction => signal_action::rt_sigaction,
    RtSigprocmask => signal_mask::rt_sigprocmask,
    RtSigreturn => signal_action::rt_sigreturn,
    RtSigpending => signal_mask::rt_sigpending,
    RtSigsuspend => signal_mask::rt_sigsuspend,
    RtSigtimedwait => signal_mask::rt_sigtimedwait,
    Pause => signal_mask::pause,
    Sigaltstack => signal_action::sigaltstack,
    Kill => signal_send::kill,
    Tkill => signal_send::tkill,
    Tgkill => signal_send::tgkill,
    RtSigqueueinfo => signal_send::rt_sigqueueinfo,
    RtTgsigqueueinfo => signal_send::rt_tgsigqueueinfo,
    Alarm => itimer::alarm,
    Setitimer => itimer::setitimer,
    Getitimer => itimer::getitimer,
    Getppid => identity::getppid,
    Getuid => identity::root,
    Geteuid => identity::root,
    Getgid => identity::root,
    Getegid => identity::root,
    Uname => system::uname,
    Getrandom => system::getrandom,
    Prlimit64 => system::prlimit64,
    Getrlimit => system::getrlimit,
    Setrlimit => system::setrlimit,
    Sysinfo => system::sysinfo,
    Getrusage => system::getrusage,
    Times => system::times,
    Wait4 => system::wait4,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_listed_once() {
        for (index, (sysno, _)) in TABLE.iter().enumerate() {
            assert!(
                TABLE[..index].iter().all(|(other, _)| other != sysno),
                "{sysno} is listed twice"
            );
        }
    }
}
