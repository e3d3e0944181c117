//! What a program asks about the machine and itself: uname(2), getrandom(2), sysinfo(2), getrusage(2), times(2), limits; and wait4(2).

use isa::layout::{Timeval, Utsname};
use isa::{Errno, PAGE_SIZE};
use rand_core::Rng;
use zerocopy::little_endian::U64;

use super::Call;
use super::threads::check_thread;
use crate::mm::{STACK_LIMIT, UserPtr, copy_to_user};

/// uname(2): the kernel is Popcorn's, the name is the node's.
pub(super) async fn uname(call: Call<'_>) -> Result<u64, Errno> {
    let nodename = format!("node{}", call.k.nid());
    let names = Utsname::new(call.k.isa(), &nodename, "5.2.21-popcorn", "#1 SMP Kettle");
    UserPtr::new(call.args[0])
        .write(call.k, call.task, &names)
        .await?;
    Ok(0)
}

const GRND_KNOWN: u32 = 0b111;
/// How much is drawn at once.
const CHUNK: usize = 4096;

/// getrandom(2): the node's own generator, the same bytes in every run.
pub(super) async fn getrandom(call: Call<'_>) -> Result<u64, Errno> {
    if call.uint(2) & !GRND_KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    let len = call.args[1].min(i32::MAX as u64);
    let mut done = 0;
    while done < len {
        let mut bytes = vec![0; CHUNK.min((len - done) as usize)];
        call.k.guest_random.borrow_mut().fill_bytes(&mut bytes);
        copy_to_user(call.k, call.task, call.addr(0).wrapping_add(done), &bytes).await?;
        done += bytes.len() as u64;
        if call.task.is_dying() {
            break;
        }
    }
    Ok(done)
}

const RLIM_INFINITY: u64 = u64::MAX;
const RLIM_NLIMITS: i32 = 16;
const RLIMIT_STACK: i32 = 3;
const RLIMIT_NOFILE: i32 = 7;

/// prlimit(2) for a thread of the caller's process: the limits that the model has. New ones are taken without effect.
pub(super) async fn prlimit64(call: Call<'_>) -> Result<u64, Errno> {
    check_thread(&call, call.int(0)).await?;
    limits(&call, call.int(1), call.args[2], call.args[3]).await
}

/// getrlimit(2).
pub(super) async fn getrlimit(call: Call<'_>) -> Result<u64, Errno> {
    limits(&call, call.int(0), 0, call.args[1]).await
}

/// setrlimit(2), without effect.
pub(super) async fn setrlimit(call: Call<'_>) -> Result<u64, Errno> {
    limits(&call, call.int(0), call.args[1], 0).await
}

/// Takes a limit from `new` and stores the present one at `old`, where these are not NULL.
async fn limits(call: &Call<'_>, resource: i32, new: u64, old: u64) -> Result<u64, Errno> {
    if !(0..RLIM_NLIMITS).contains(&resource) {
        return Err(Errno::EINVAL);
    }
    if let Some(new) = UserPtr::<[U64; 2]>::new(new).non_null() {
        let [soft, hard] = new.read(call.k, call.task).await?;
        if soft.get() > hard.get() {
            return Err(Errno::EINVAL);
        }
    }
    let (soft, hard) = match resource {
        RLIMIT_STACK => (STACK_LIMIT, RLIM_INFINITY),
        RLIMIT_NOFILE => (1024, 4096),
        _ => (RLIM_INFINITY, RLIM_INFINITY),
    };
    if let Some(old) = UserPtr::<[U64; 2]>::new(old).non_null() {
        old.write(call.k, call.task, &[U64::new(soft), U64::new(hard)])
            .await?;
    }
    Ok(0)
}

/// sysinfo(2): uptime, memory and tasks of the node where the thread is; no load, no swap.
pub(super) async fn sysinfo(call: Call<'_>) -> Result<u64, Errno> {
    let frames = call.k.memory.frames();
    let free = frames - call.k.frames.borrow().used();
    // Fourteen words: uptime, three loads, memory from totalram to freeswap, tasks (16 bits), high memory, and the unit (32 bits).
    let mut words = [0; 14];
    words[0] = call.k.exec.now().as_secs();
    words[4] = frames * PAGE_SIZE;
    words[5] = free * PAGE_SIZE;
    words[10] = call.k.tasks.borrow().len() as u64;
    words[13] = 1;
    copy_to_user(
        call.k,
        call.task,
        call.addr(0),
        &words.map(u64::to_le_bytes).concat(),
    )
    .await?;
    Ok(0)
}

const RUSAGE_CHILDREN: i32 = -1;
const RUSAGE_THREAD: i32 = 1;

/// getrusage(2): nothing accounts per task, so that the time since the start is all user time. Children have used nothing.
pub(super) async fn getrusage(call: Call<'_>) -> Result<u64, Errno> {
    let used = match call.int(0) {
        RUSAGE_CHILDREN => 0,
        0 | RUSAGE_THREAD => call.k.exec.now().as_ns(),
        _ => return Err(Errno::EINVAL),
    };
    // struct rusage: user and system time, then fourteen counts.
    let time = Timeval::from_nanos(used);
    let mut bytes = [0; 16 * 9];
    bytes[..8].copy_from_slice(&time.sec.get().to_le_bytes());
    bytes[8..16].copy_from_slice(&time.usec.get().to_le_bytes());
    copy_to_user(call.k, call.task, call.addr(1), &bytes).await?;
    Ok(0)
}

/// times(2), in ticks of 10 ms: as getrusage(2) has it.
pub(super) async fn times(call: Call<'_>) -> Result<u64, Errno> {
    const NS_PER_TICK: u64 = 10_000_000;
    let ticks = call.k.exec.now().as_ns() / NS_PER_TICK;
    if let Some(out) = UserPtr::<[U64; 4]>::new(call.args[0]).non_null() {
        let mut times = [U64::ZERO; 4];
        times[0] = U64::new(ticks);
        out.write(call.k, call.task, &times).await?;
    }
    Ok(ticks)
}

/// wait4(2)'s options: WNOHANG, WUNTRACED, WCONTINUED, __WNOTHREAD, __WALL, __WCLONE.
const WAIT_KNOWN: u32 = 0xe000_000b;

/// wait4(2): there is no fork, and so there are no children.
pub(super) async fn wait4(call: Call<'_>) -> Result<u64, Errno> {
    Err(match call.int(0) {
        _ if call.uint(2) & !WAIT_KNOWN != 0 => Errno::EINVAL,
        i32::MIN => Errno::ESRCH,
        _ => Errno::ECHILD,
    })
}

/// sync(2): what is written is where it will ever be.
pub(super) async fn sync(_: Call<'_>) -> Result<u64, Errno> {
    Ok(0)
}
