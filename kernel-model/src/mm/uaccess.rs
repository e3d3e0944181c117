//! The kernel's access to user memory: copies that fault pages in, sleep where another node has to be asked, and fail with EFAULT.
//!
//! A copy is not atomic as a whole; each page's part is, because nothing else runs between the look at the page table and the copy.

use std::marker::PhantomData;
use std::rc::Rc;

use isa::{Errno, PAGE_SIZE, Pfn, VirtAddr};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::{Mm, fixup_user_fault};
use crate::costs::Cost;
use crate::cpu::Access;
use crate::kernel::Kernel;
use crate::task::Task;

/// Reads `out.len()` bytes at `addr`. EFAULT where the task could not read itself.
pub async fn copy_from_user(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
    out: &mut [u8],
) -> Result<(), Errno> {
    let mm = task.mm();
    check_range(&mm, addr, out.len())?;
    let mut at = addr;
    let mut rest = out;
    while !rest.is_empty() {
        let pfn = user_page(k, task, &mm, at, Access::Read).await?;
        let len = rest.len().min((PAGE_SIZE - at.page_offset()) as usize);
        let (now, later) = rest.split_at_mut(len);
        k.read_frame(pfn, at.page_offset(), now);
        charge_copy(k, now.len());
        at = at.wrapping_add(len as u64);
        rest = later;
        if !rest.is_empty() {
            k.cond_resched().await;
        }
    }
    Ok(())
}

/// Writes `bytes` at `addr`. EFAULT where the task could not write itself; what lies before that has been written then.
pub async fn copy_to_user(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
    bytes: &[u8],
) -> Result<(), Errno> {
    let copied = copy_part_to_user(k, task, addr, bytes).await;
    copied.map_err(|(_, errno)| errno)
}

/// As [`copy_to_user`]; the error comes with how many bytes lie before the place that could not be written.
pub async fn copy_part_to_user(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
    bytes: &[u8],
) -> Result<(), (usize, Errno)> {
    let mm = task.mm();
    check_range(&mm, addr, bytes.len()).map_err(|errno| (0, errno))?;
    let mut at = addr;
    let mut rest = bytes;
    while !rest.is_empty() {
        let page = user_page(k, task, &mm, at, Access::Write).await;
        let pfn = page.map_err(|errno| (bytes.len() - rest.len(), errno))?;
        let (now, later) = rest.split_at(rest.len().min((PAGE_SIZE - at.page_offset()) as usize));
        k.write_frame(pfn, at.page_offset(), now);
        charge_copy(k, now.len());
        at = at.wrapping_add(now.len() as u64);
        rest = later;
        if !rest.is_empty() {
            k.cond_resched().await;
        }
    }
    Ok(())
}

/// Puts `new` into a word of memory if it holds `old`, in one piece; returns what it held. EFAULT where the task could not write itself, or the word is not
/// aligned.
pub async fn compare_exchange_user(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
    old: u32,
    new: u32,
) -> Result<u32, Errno> {
    let mm = task.mm();
    check_range(&mm, addr, 4)?;
    if !addr.0.is_multiple_of(4) {
        return Err(Errno::EFAULT);
    }
    let pfn = user_page(k, task, &mm, addr, Access::Write).await?;
    let mut bytes = [0; 4];
    k.read_frame(pfn, addr.page_offset(), &mut bytes);
    let found = u32::from_le_bytes(bytes);
    if found == old {
        k.write_frame(pfn, addr.page_offset(), &new.to_le_bytes());
    }
    Ok(found)
}

/// Reads a string up to its zero byte, which is not part of the result. ENAMETOOLONG when there is none within `max` bytes.
pub async fn read_cstring(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    addr: VirtAddr,
    max: usize,
) -> Result<Vec<u8>, Errno> {
    let mut text = Vec::new();
    let mut at = addr;
    while text.len() < max {
        let len = (max - text.len()).min((PAGE_SIZE - at.page_offset()) as usize);
        let mut chunk = vec![0; len];
        copy_from_user(k, task, at, &mut chunk).await?;
        if let Some(end) = chunk.iter().position(|byte| *byte == 0) {
            text.extend_from_slice(&chunk[..end]);
            return Ok(text);
        }
        text.extend_from_slice(&chunk);
        at = at.checked_add(len as u64).ok_or(Errno::EFAULT)?;
    }
    Err(Errno::ENAMETOOLONG)
}

/// A copy takes time by its length, at the speed at which a page is copied.
fn charge_copy(k: &Kernel, len: usize) {
    k.exec
        .charge(Cost::CopyPage.time() * len as u64 / PAGE_SIZE);
}

/// The frame behind an address, faulted in if need be. Valid until the next await.
pub(crate) async fn user_page(
    k: &Rc<Kernel>,
    task: &Rc<Task>,
    mm: &Mm,
    addr: VirtAddr,
    access: Access,
) -> Result<Pfn, Errno> {
    loop {
        let translation = mm.page_table.borrow().translate(addr, access);
        if let Some(translation) = translation {
            return Ok(translation.pfn);
        }
        fixup_user_fault(k, task, addr, access).await?;
    }
}

/// `access_ok`.
fn check_range(mm: &Mm, addr: VirtAddr, len: usize) -> Result<(), Errno> {
    let end = addr.checked_add(len as u64).ok_or(Errno::EFAULT)?;
    if end <= mm.layout.get().task_size {
        Ok(())
    } else {
        Err(Errno::EFAULT)
    }
}

/// A pointer that a guest passed: an address that is supposed to hold a `T`.
pub struct UserPtr<T> {
    addr: VirtAddr,
    what: PhantomData<T>,
}

impl<T> UserPtr<T> {
    /// The pointer in an argument register.
    pub const fn new(addr: u64) -> Self {
        Self {
            addr: VirtAddr(addr),
            what: PhantomData,
        }
    }

    /// Where it points.
    pub const fn addr(&self) -> VirtAddr {
        self.addr
    }

    /// Whether it is NULL.
    pub const fn is_null(&self) -> bool {
        self.addr.0 == 0
    }

    /// The pointer, unless it is NULL.
    pub fn non_null(self) -> Option<Self> {
        (!self.is_null()).then_some(self)
    }
}

impl<T: FromBytes> UserPtr<T> {
    /// Reads the value. EFAULT as [`copy_from_user`].
    pub async fn read(&self, k: &Rc<Kernel>, task: &Rc<Task>) -> Result<T, Errno> {
        let mut bytes = vec![0; size_of::<T>()];
        copy_from_user(k, task, self.addr, &mut bytes).await?;
        Ok(T::read_from_bytes(&bytes).expect("the buffer was made to fit"))
    }
}

impl<T: IntoBytes + Immutable> UserPtr<T> {
    /// Writes the value. EFAULT as [`copy_to_user`].
    pub async fn write(&self, k: &Rc<Kernel>, task: &Rc<Task>, value: &T) -> Result<(), Errno> {
        copy_to_user(k, task, self.addr, value.as_bytes()).await
    }
}
