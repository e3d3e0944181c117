//! Starting a program: `load_elf_binary` (fs/binfmt_elf.c, Linux 5.2) for static executables at fixed addresses, without randomisation.
//!
//! Left out: interpreters, scripts, position-independent executables, set-user-id.

use std::rc::Rc;

use isa::elf::{ElfError, ElfImage, Segment};
use isa::layout::{MapFlags, Prot};
use isa::{Errno, Isa, PAGE_SIZE, RegisterFile, VirtAddr};
use rand_core::Rng;
use thiserror::Error;

use super::stack::{self, ProgramInfo, StartStack};
use super::{TaskSpec, new_task};
use crate::event::Event;
use crate::fs::{File, FileTable};
use crate::kernel::Kernel;
use crate::mm::{
    self, Mm, MmLayout, MmapRequest, STACK_LIMIT, TASK_SIZE, VmFault, VmFlags, Vma, VmaFile,
};
use crate::task::Task;

/// Why a program was not started.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExecError {
    /// The root has no such file.
    #[error("{path} cannot be opened on a node of {isa} ({errno}): it must be a file under the root, for {isa} also as {path}_{}", .isa.binary_suffix())]
    Open {
        /// The path as guests see it.
        path: String,
        /// The ISA of the node.
        isa: Isa,
        /// What the file system said.
        errno: Errno,
    },
    /// Not a program that can run.
    #[error("{path} cannot be run: {error}")]
    Image {
        /// The path as guests see it.
        path: String,
        /// What is wrong with it.
        error: ElfError,
    },
    /// A program for other CPUs.
    #[error(
        "{path} is a program for {found}, but the node has {isa} CPUs: build it for {isa}, or start it on a node of {found}"
    )]
    WrongIsa {
        /// The path as guests see it.
        path: String,
        /// What the program needs.
        found: Isa,
        /// What the node has.
        isa: Isa,
    },
    /// The address space cannot be laid out.
    #[error(
        "{path} cannot be mapped at {addr} ({errno}): its segments must lie in user memory, clear of the stack"
    )]
    Map {
        /// The path as guests see it.
        path: String,
        /// Where it failed.
        addr: VirtAddr,
        /// What the mm said.
        errno: Errno,
    },
    /// Arguments or environment are too large.
    #[error("the arguments and environment of {path} take {bytes} bytes: at most {limit} fit")]
    TooLong {
        /// The path as guests see it.
        path: String,
        /// What they take.
        bytes: u64,
        /// What would fit.
        limit: u64,
    },
    /// A string with a zero byte.
    #[error("an argument or environment string of {path} contains a zero byte: C strings cannot")]
    ZeroByte {
        /// The path as guests see it.
        path: String,
    },
    /// No free frame.
    #[error("node memory is too small to start {path}: give the node more")]
    OutOfMemory {
        /// The path as guests see it.
        path: String,
    },
    /// Too many tasks.
    #[error("{path} cannot be started: the node has as many tasks as it may ({limit})")]
    TooManyTasks {
        /// The path as guests see it.
        path: String,
        /// The limit.
        limit: usize,
    },
}

/// What arguments and environment may take: a quarter of the stack limit, as in Linux.
const ARG_LIMIT: u64 = STACK_LIMIT / 4;
/// How much stack is mapped below the start stack at once (`setup_arg_pages`).
const STACK_EXPAND: u64 = 128 << 10;

/// Loads the program at `path` of this node's root into a new process. It does not run before `user::wake_up_new_task`.
pub fn start_process(
    k: &Rc<Kernel>,
    path: &str,
    argv: &[String],
    envp: &[String],
) -> Result<Rc<Task>, ExecError> {
    check_strings(path, argv, envp)?;
    let file = k
        .root
        .open(path, k.isa())
        .map_err(|errno| ExecError::Open {
            path: path.to_owned(),
            isa: k.isa(),
            errno,
        })?;
    let image = read_image(k, path, &*file)?;
    let mm = Mm::new(k.alloc_id(), path.to_owned());
    let loaded = Loader {
        k,
        mm: &mm,
        path,
        image: &image,
        file,
    }
    .load(argv, envp);
    let stack = match loaded {
        Ok(stack) => stack,
        Err(error) => {
            mm::exit_mmap(k, &mm);
            return Err(error);
        }
    };
    let mut regs = RegisterFile::new(k.isa());
    regs.start_thread(image.entry(), stack.sp);
    let spec = TaskSpec {
        group: None,
        comm: path.rsplit('/').next().unwrap_or(path).to_owned(),
        regs,
        mm: Some(Rc::clone(&mm)),
        files: FileTable::console(Rc::clone(&k.input.borrow())),
        personality: 0,
    };
    let task = new_task(k, spec).map_err(|_| {
        mm::exit_mmap(k, &mm);
        ExecError::TooManyTasks {
            path: path.to_owned(),
            limit: k.config.max_tasks,
        }
    })?;
    k.event(&Event::Exec {
        tgid: task.tgid(),
        path,
    });
    Ok(task)
}

fn check_strings(path: &str, argv: &[String], envp: &[String]) -> Result<(), ExecError> {
    let texts = || argv.iter().chain(envp);
    if path.contains('\0') || texts().any(|text| text.contains('\0')) {
        return Err(ExecError::ZeroByte {
            path: path.to_owned(),
        });
    }
    let bytes = texts().map(|text| text.len() as u64 + 9).sum::<u64>() + path.len() as u64;
    if bytes > ARG_LIMIT {
        return Err(ExecError::TooLong {
            path: path.to_owned(),
            bytes,
            limit: ARG_LIMIT,
        });
    }
    Ok(())
}

fn read_image(k: &Kernel, path: &str, file: &dyn File) -> Result<ElfImage, ExecError> {
    let len = usize::try_from(file.len()).map_err(|_| ExecError::OutOfMemory {
        path: path.to_owned(),
    })?;
    let mut bytes = vec![0; len];
    file.read_at(0, &mut bytes);
    let image = ElfImage::parse(&bytes).map_err(|error| ExecError::Image {
        path: path.to_owned(),
        error,
    })?;
    if image.isa() != k.isa() {
        return Err(ExecError::WrongIsa {
            path: path.to_owned(),
            found: image.isa(),
            isa: k.isa(),
        });
    }
    Ok(image)
}

/// A program on its way into an address space.
struct Loader<'a> {
    k: &'a Rc<Kernel>,
    mm: &'a Rc<Mm>,
    path: &'a str,
    image: &'a ElfImage,
    file: Rc<dyn File>,
}

impl Loader<'_> {
    fn load(&self, argv: &[String], envp: &[String]) -> Result<StartStack, ExecError> {
        let end = self
            .image
            .end()
            .page_align_up()
            .expect("segments end in user memory");
        let (code, data): (Vec<_>, Vec<_>) = self
            .image
            .segments()
            .iter()
            .partition(|segment| segment.execute);
        let file_end = |segment: &&Segment| VirtAddr(segment.address.0 + segment.file.len() as u64);
        self.mm.layout.set(MmLayout {
            task_size: TASK_SIZE,
            start_brk: end,
            brk: end,
            start_code: self
                .image
                .segments()
                .first()
                .map_or(VirtAddr(0), |segment| segment.address),
            end_code: code.iter().map(file_end).max().unwrap_or_default(),
            start_data: data.last().map_or(VirtAddr(0), |segment| segment.address),
            end_data: data.iter().map(file_end).max().unwrap_or_default(),
            ..MmLayout::default()
        });
        for segment in self.image.segments() {
            self.map_segment(segment)?;
        }
        self.map_stack(argv, envp)
    }

    /// `elf_map`, `set_brk` and `padzero`: the file's part, zeroes up to the end of its last page, zeroed pages for the rest.
    fn map_segment(&self, segment: &Segment) -> Result<(), ExecError> {
        let prot = [
            (segment.read, Prot::READ),
            (segment.write, Prot::WRITE),
            (segment.execute, Prot::EXEC),
        ]
        .into_iter()
        .fold(
            Prot::empty(),
            |prot, (set, bit)| if set { prot | bit } else { prot },
        );
        let start = segment.address.page_align_down();
        let file_end = VirtAddr(segment.address.0 + segment.file.len() as u64);
        let file_pages_end = if segment.file.is_empty() {
            start
        } else {
            VirtAddr(file_end.0.next_multiple_of(PAGE_SIZE))
        };
        if start < file_pages_end {
            let mapped = VmaFile::of_root(self.path, Rc::clone(&self.file));
            let pgoff = segment.file.start as u64 / PAGE_SIZE;
            let flags = MapFlags::PRIVATE | MapFlags::FIXED_NOREPLACE | MapFlags::DENYWRITE;
            self.map(MmapRequest {
                addr: start,
                len: file_pages_end.0 - start.0,
                prot,
                flags,
                file: Some(mapped),
                pgoff,
                may_write: false,
            })?;
            if segment.end() > file_end && !file_end.is_page_aligned() {
                let tail = vec![0; (file_pages_end.0 - file_end.0) as usize];
                self.poke(file_end, &tail)?;
            }
        }
        let end = VirtAddr(segment.end().0.next_multiple_of(PAGE_SIZE));
        if file_pages_end < end {
            let request = MmapRequest::anonymous_at(file_pages_end, end.0 - file_pages_end.0, prot);
            self.map(MmapRequest {
                flags: request.flags | MapFlags::FIXED_NOREPLACE,
                ..request
            })?;
        }
        Ok(())
    }

    fn map_stack(&self, argv: &[String], envp: &[String]) -> Result<StartStack, ExecError> {
        let headers = self.image.program_headers();
        let program = ProgramInfo {
            phdr: headers.address.unwrap_or_default(),
            phent: headers.entry_size.into(),
            phnum: headers.count.into(),
            entry: self.image.entry(),
        };
        let mut random = [0; 16];
        self.k.guest_random.borrow_mut().fill_bytes(&mut random);
        let stack = stack::build(
            self.k.isa(),
            TASK_SIZE,
            self.path,
            argv,
            envp,
            &program,
            random,
        );
        let start = VirtAddr(stack.sp.page_align_down().0 - STACK_EXPAND);
        let may = VmFlags::MAYREAD | VmFlags::MAYWRITE | VmFlags::MAYEXEC;
        let mut flags =
            VmFlags::READ | VmFlags::WRITE | may | VmFlags::GROWSDOWN | VmFlags::ACCOUNT;
        if self.image.executable_stack() {
            flags |= VmFlags::EXEC;
        }
        let taken = !self
            .mm
            .vmas
            .borrow()
            .overlapping(start, TASK_SIZE)
            .is_empty();
        if taken {
            return Err(ExecError::Map {
                path: self.path.to_owned(),
                addr: start,
                errno: Errno::EEXIST,
            });
        }
        let area = Vma {
            start,
            end: TASK_SIZE,
            flags,
            pgoff: start.0 / PAGE_SIZE,
            file: None,
        };
        self.mm.vmas.borrow_mut().insert(area);
        self.poke(stack.sp, &stack.bytes)?;
        let mut layout = self.mm.layout.get();
        layout.stack_start = stack.sp;
        layout.arg_start = stack.arg_start;
        layout.arg_end = stack.arg_end;
        layout.env_start = stack.env_start;
        layout.env_end = stack.env_end;
        self.mm.layout.set(layout);
        Ok(stack)
    }

    fn map(&self, request: MmapRequest) -> Result<(), ExecError> {
        let addr = request.addr;
        match mm::do_mmap(self.k, self.mm, &request) {
            Ok(_) => Ok(()),
            Err(errno) => Err(ExecError::Map {
                path: self.path.to_owned(),
                addr,
                errno,
            }),
        }
    }

    fn poke(&self, addr: VirtAddr, bytes: &[u8]) -> Result<(), ExecError> {
        mm::poke_user(self.k, self.mm, addr, bytes).map_err(|fault| match fault {
            VmFault::OOM => ExecError::OutOfMemory {
                path: self.path.to_owned(),
            },
            _ => ExecError::Map {
                path: self.path.to_owned(),
                addr,
                errno: Errno::EFAULT,
            },
        })
    }
}
