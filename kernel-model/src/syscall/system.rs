//! What a program asks about the machine: uname(2), getrandom(2), prlimit(2).

use isa::Errno;
use isa::layout::Utsname;
use rand_core::Rng;
use zerocopy::little_endian::U64;

use super::Call;
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
        call.k.rng.borrow_mut().fill_bytes(&mut bytes);
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

/// prlimit(2) for the caller: the limits that the model has. New ones are taken without effect.
pub(super) async fn prlimit64(call: Call<'_>) -> Result<u64, Errno> {
    let (pid, resource) = (call.int(0), call.int(1));
    if pid != 0 && pid != call.task.tgid().0 {
        return Err(Errno::ESRCH);
    }
    if !(0..RLIM_NLIMITS).contains(&resource) {
        return Err(Errno::EINVAL);
    }
    if let Some(new) = UserPtr::<[U64; 2]>::new(call.args[2]).non_null() {
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
    if let Some(old) = UserPtr::<[U64; 2]>::new(call.args[3]).non_null() {
        old.write(call.k, call.task, &[U64::new(soft), U64::new(hard)])
            .await?;
    }
    Ok(0)
}
