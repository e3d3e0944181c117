/*
 * x86_64: system calls of the C library. Only the numbers differ from this kernel's, and the order of clone's arguments.
 */
#include "../sys.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

/* Generic number, x86_64's number. Source: the system call tables of Linux 5.17. */
#define R(name, generic, own) [generic] = own + 1,
static const uint16_t numbers[] = {
    R(io_setup, 0, 206) R(io_destroy, 1, 207) R(io_submit, 2, 209) R(io_cancel, 3, 210) R(io_getevents, 4, 208)
    R(setxattr, 5, 188) R(lsetxattr, 6, 189) R(fsetxattr, 7, 190) R(getxattr, 8, 191) R(lgetxattr, 9, 192)
    R(fgetxattr, 10, 193) R(listxattr, 11, 194) R(llistxattr, 12, 195) R(flistxattr, 13, 196) R(removexattr, 14, 197)
    R(lremovexattr, 15, 198) R(fremovexattr, 16, 199) R(getcwd, 17, 79) R(lookup_dcookie, 18, 212)
    R(eventfd2, 19, 290) R(epoll_create1, 20, 291) R(epoll_ctl, 21, 233) R(epoll_pwait, 22, 281) R(dup, 23, 32)
    R(dup3, 24, 292) R(fcntl, 25, 72) R(inotify_init1, 26, 294) R(inotify_add_watch, 27, 254)
    R(inotify_rm_watch, 28, 255) R(ioctl, 29, 16) R(ioprio_set, 30, 251) R(ioprio_get, 31, 252) R(flock, 32, 73)
    R(mknodat, 33, 259) R(mkdirat, 34, 258) R(unlinkat, 35, 263) R(symlinkat, 36, 266) R(linkat, 37, 265)
    R(renameat, 38, 264) R(umount2, 39, 166) R(mount, 40, 165) R(pivot_root, 41, 155) R(nfsservctl, 42, 180)
    R(statfs, 43, 137) R(fstatfs, 44, 138) R(truncate, 45, 76) R(ftruncate, 46, 77) R(fallocate, 47, 285)
    R(faccessat, 48, 269) R(chdir, 49, 80) R(fchdir, 50, 81) R(chroot, 51, 161) R(fchmod, 52, 91) R(fchmodat, 53, 268)
    R(fchownat, 54, 260) R(fchown, 55, 93) R(openat, 56, 257) R(close, 57, 3) R(vhangup, 58, 153) R(pipe2, 59, 293)
    R(quotactl, 60, 179) R(getdents64, 61, 217) R(lseek, 62, 8) R(read, 63, 0) R(write, 64, 1) R(readv, 65, 19)
    R(writev, 66, 20) R(pread64, 67, 17) R(pwrite64, 68, 18) R(preadv, 69, 295) R(pwritev, 70, 296)
    R(sendfile, 71, 40) R(pselect6, 72, 270) R(ppoll, 73, 271) R(signalfd4, 74, 289) R(vmsplice, 75, 278)
    R(splice, 76, 275) R(tee, 77, 276) R(readlinkat, 78, 267) R(newfstatat, 79, 262) R(fstat, 80, 5) R(sync, 81, 162)
    R(fsync, 82, 74) R(fdatasync, 83, 75) R(sync_file_range, 84, 277) R(timerfd_create, 85, 283)
    R(timerfd_settime, 86, 286) R(timerfd_gettime, 87, 287) R(utimensat, 88, 280) R(acct, 89, 163) R(capget, 90, 125)
    R(capset, 91, 126) R(personality, 92, 135) R(exit, 93, 60) R(exit_group, 94, 231) R(waitid, 95, 247)
    R(set_tid_address, 96, 218) R(unshare, 97, 272) R(futex, 98, 202) R(set_robust_list, 99, 273)
    R(get_robust_list, 100, 274) R(nanosleep, 101, 35) R(getitimer, 102, 36) R(setitimer, 103, 38)
    R(kexec_load, 104, 246) R(init_module, 105, 175) R(delete_module, 106, 176) R(timer_create, 107, 222)
    R(timer_gettime, 108, 224) R(timer_getoverrun, 109, 225) R(timer_settime, 110, 223) R(timer_delete, 111, 226)
    R(clock_settime, 112, 227) R(clock_gettime, 113, 228) R(clock_getres, 114, 229) R(clock_nanosleep, 115, 230)
    R(syslog, 116, 103) R(ptrace, 117, 101) R(sched_setparam, 118, 142) R(sched_setscheduler, 119, 144)
    R(sched_getscheduler, 120, 145) R(sched_getparam, 121, 143) R(sched_setaffinity, 122, 203)
    R(sched_getaffinity, 123, 204) R(sched_yield, 124, 24) R(sched_get_priority_max, 125, 146)
    R(sched_get_priority_min, 126, 147) R(sched_rr_get_interval, 127, 148) R(restart_syscall, 128, 219)
    R(kill, 129, 62) R(tkill, 130, 200) R(tgkill, 131, 234) R(sigaltstack, 132, 131) R(rt_sigsuspend, 133, 130)
    R(rt_sigaction, 134, 13) R(rt_sigprocmask, 135, 14) R(rt_sigpending, 136, 127) R(rt_sigtimedwait, 137, 128)
    R(rt_sigqueueinfo, 138, 129) R(rt_sigreturn, 139, 15) R(setpriority, 140, 141) R(getpriority, 141, 140)
    R(reboot, 142, 169) R(setregid, 143, 114) R(setgid, 144, 106) R(setreuid, 145, 113) R(setuid, 146, 105)
    R(setresuid, 147, 117) R(getresuid, 148, 118) R(setresgid, 149, 119) R(getresgid, 150, 120) R(setfsuid, 151, 122)
    R(setfsgid, 152, 123) R(times, 153, 100) R(setpgid, 154, 109) R(getpgid, 155, 121) R(getsid, 156, 124)
    R(setsid, 157, 112) R(getgroups, 158, 115) R(setgroups, 159, 116) R(uname, 160, 63) R(sethostname, 161, 170)
    R(setdomainname, 162, 171) R(getrlimit, 163, 97) R(setrlimit, 164, 160) R(getrusage, 165, 98) R(umask, 166, 95)
    R(prctl, 167, 157) R(getcpu, 168, 309) R(gettimeofday, 169, 96) R(settimeofday, 170, 164) R(adjtimex, 171, 159)
    R(getpid, 172, 39) R(getppid, 173, 110) R(getuid, 174, 102) R(geteuid, 175, 107) R(getgid, 176, 104)
    R(getegid, 177, 108) R(gettid, 178, 186) R(sysinfo, 179, 99) R(mq_open, 180, 240) R(mq_unlink, 181, 241)
    R(mq_timedsend, 182, 242) R(mq_timedreceive, 183, 243) R(mq_notify, 184, 244) R(mq_getsetattr, 185, 245)
    R(msgget, 186, 68) R(msgctl, 187, 71) R(msgrcv, 188, 70) R(msgsnd, 189, 69) R(semget, 190, 64) R(semctl, 191, 66)
    R(semtimedop, 192, 220) R(semop, 193, 65) R(shmget, 194, 29) R(shmctl, 195, 31) R(shmat, 196, 30)
    R(shmdt, 197, 67) R(socket, 198, 41) R(socketpair, 199, 53) R(bind, 200, 49) R(listen, 201, 50) R(accept, 202, 43)
    R(connect, 203, 42) R(getsockname, 204, 51) R(getpeername, 205, 52) R(sendto, 206, 44) R(recvfrom, 207, 45)
    R(setsockopt, 208, 54) R(getsockopt, 209, 55) R(shutdown, 210, 48) R(sendmsg, 211, 46) R(recvmsg, 212, 47)
    R(readahead, 213, 187) R(brk, 214, 12) R(munmap, 215, 11) R(mremap, 216, 25) R(add_key, 217, 248)
    R(request_key, 218, 249) R(keyctl, 219, 250) R(clone, 220, 56) R(execve, 221, 59) R(mmap, 222, 9)
    R(fadvise64, 223, 221) R(swapon, 224, 167) R(swapoff, 225, 168) R(mprotect, 226, 10) R(msync, 227, 26)
    R(mlock, 228, 149) R(munlock, 229, 150) R(mlockall, 230, 151) R(munlockall, 231, 152) R(mincore, 232, 27)
    R(madvise, 233, 28) R(remap_file_pages, 234, 216) R(mbind, 235, 237) R(get_mempolicy, 236, 239)
    R(set_mempolicy, 237, 238) R(migrate_pages, 238, 256) R(move_pages, 239, 279) R(rt_tgsigqueueinfo, 240, 297)
    R(perf_event_open, 241, 298) R(accept4, 242, 288) R(recvmmsg, 243, 299) R(wait4, 260, 61) R(prlimit64, 261, 302)
    R(fanotify_init, 262, 300) R(fanotify_mark, 263, 301) R(name_to_handle_at, 264, 303)
    R(open_by_handle_at, 265, 304) R(clock_adjtime, 266, 305) R(syncfs, 267, 306) R(setns, 268, 308)
    R(sendmmsg, 269, 307) R(process_vm_readv, 270, 310) R(process_vm_writev, 271, 311) R(kcmp, 272, 312)
    R(finit_module, 273, 313) R(sched_setattr, 274, 314) R(sched_getattr, 275, 315) R(renameat2, 276, 316)
    R(seccomp, 277, 317) R(getrandom, 278, 318) R(memfd_create, 279, 319) R(bpf, 280, 321) R(execveat, 281, 322)
    R(userfaultfd, 282, 323) R(membarrier, 283, 324) R(mlock2, 284, 325) R(copy_file_range, 285, 326)
    R(preadv2, 286, 327) R(pwritev2, 287, 328) R(pkey_mprotect, 288, 329) R(pkey_alloc, 289, 330)
    R(pkey_free, 290, 331) R(statx, 291, 332) R(io_pgetevents, 292, 333) R(rseq, 293, 334)
    R(kexec_file_load, 294, 320) R(pidfd_send_signal, 424, 424) R(io_uring_setup, 425, 425)
    R(io_uring_enter, 426, 426) R(io_uring_register, 427, 427) R(open_tree, 428, 428) R(move_mount, 429, 429)
    R(fsopen, 430, 430) R(fsconfig, 431, 431) R(fsmount, 432, 432) R(fspick, 433, 433) R(pidfd_open, 434, 434)
    R(clone3, 435, 435) R(close_range, 436, 436) R(openat2, 437, 437) R(pidfd_getfd, 438, 438) R(faccessat2, 439, 439)
    R(process_madvise, 440, 440) R(epoll_pwait2, 441, 441) R(mount_setattr, 442, 442)
    R(landlock_create_ruleset, 444, 444) R(landlock_add_rule, 445, 445) R(landlock_restrict_self, 446, 446)
};
#undef R

/* -1: there is none. */
static long own_number(long nr)
{
    return (size_t)nr < sizeof numbers / sizeof *numbers ? numbers[nr] - 1 : -1;
}

static long call(long nr, long a, long b, long c, long d, long e, long f)
{
    long number = own_number(nr);
    if (number < 0)
        return -ENOSYS;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

long __kettle_sys(long nr, long a, long b, long c, long d, long e, long f)
{
    long result;
    if (sys_common(nr, a, b, c, d, &result, call))
        return result;
    if (nr == SYS_clone)
        return call(nr, a, b, c, e, d, f);
    return call(nr, a, b, c, d, e, f);
}

long __kettle_sys_cp(long nr, long a, long b, long c, long d, long e, long f)
{
    long number = own_number(nr);
    return number < 0 ? -ENOSYS : __kettle_syscall_cp(number, a, b, c, d, e, f);
}

/* The context is in the layout that neutral code has. */
void __kettle_call_handler(signal_handler *handler, int signal, void *info, void *context)
{
    handler(signal, info, context);
}
