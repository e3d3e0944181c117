//! The program of a run: one path, and on each ISA the binary behind it.
//!
//! `prog` stands for `prog_x86-64` and `prog_aarch64` next to it, as Popcorn deployments have it; a file `prog` itself serves the ISA it
//! was built for when that has no file of its own. Inside the cluster the program is `/popcorn/NAME`, wherever it lies on the host, so that
//! a run does not depend on the directory it is started from.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use isa::Isa;
use isa::elf::{ElfError, ElfImage, PairError, check_pair};
use thiserror::Error;

/// Directory of programs as guests see it.
pub(crate) const GUEST_DIRECTORY: &str = "/popcorn";

/// Why a program cannot be run.
#[derive(Debug, Error)]
pub enum ProgramError {
    /// Nothing there.
    #[error(
        "there is no program {path}: neither {path}_x86-64 nor {path}_aarch64 nor {path} itself is a file"
    )]
    Missing {
        /// The path as given.
        path: PathBuf,
    },
    /// A file that cannot be read.
    #[error("{path} cannot be read: {reason}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the host says.
        reason: std::io::Error,
    },
    /// A file that no node can run.
    #[error("{path} cannot be run: {reason}")]
    Elf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: ElfError,
    },
    /// A file for another ISA than its name says.
    #[error(
        "{path} is a binary for {found}, but its name says {expected}; build it again or rename it"
    )]
    WrongIsa {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: Isa,
        /// What its name says.
        expected: Isa,
    },
    /// Two binaries that are not one program.
    #[error(
        "{path}_x86-64 and {path}_aarch64 are not one program: {reason}; build both by one call of kettle-cc"
    )]
    Pair {
        /// The path without suffix.
        path: PathBuf,
        /// The first difference.
        reason: PairError,
    },
    /// The start node's ISA has no binary.
    #[error(
        "node {nid} is {isa}, and {path} has no {isa} binary: build {path}_{suffix}, or start on a node of another ISA"
    )]
    NoBinaryForOrigin {
        /// Where the process would start.
        nid: usize,
        /// Its ISA.
        isa: Isa,
        /// The path as given.
        path: PathBuf,
        /// What the file would be called.
        suffix: &'static str,
    },
    /// No name to give it inside the cluster.
    #[error("{path} has no file name that is text")]
    Name {
        /// The path as given.
        path: PathBuf,
    },
}

/// A program with its binaries.
#[derive(Clone, Debug)]
pub struct Program {
    guest_path: String,
    host_path: PathBuf,
    images: BTreeMap<Isa, Arc<ElfImage>>,
}

impl Program {
    /// Finds and reads the binaries of `path`. Two of them must be one program.
    pub fn open(path: &Path) -> Result<Self, ProgramError> {
        let path_buf = || path.to_path_buf();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| ProgramError::Name { path: path_buf() })?;
        let mut images = BTreeMap::new();
        for isa in Isa::ALL {
            let file = with_suffix(path, isa);
            if file.is_file() {
                let image = read_image(&file)?;
                if image.isa() != isa {
                    return Err(ProgramError::WrongIsa {
                        path: file,
                        found: image.isa(),
                        expected: isa,
                    });
                }
                images.insert(isa, image);
            }
        }
        if path.is_file() && images.len() < Isa::ALL.len() {
            let image = read_image(path)?;
            images.entry(image.isa()).or_insert(image);
        }
        if images.is_empty() {
            return Err(ProgramError::Missing { path: path_buf() });
        }
        if let (Some(x86_64), Some(aarch64)) = (images.get(&Isa::X86_64), images.get(&Isa::Aarch64))
        {
            check_pair(x86_64, aarch64).map_err(|reason| ProgramError::Pair {
                path: path_buf(),
                reason,
            })?;
        }
        Ok(Self {
            guest_path: format!("{GUEST_DIRECTORY}/{name}"),
            host_path: path_buf(),
            images,
        })
    }

    /// The path as guests see it.
    pub fn guest_path(&self) -> &str {
        &self.guest_path
    }

    /// The binary for an ISA.
    pub fn image(&self, isa: Isa) -> Option<&Arc<ElfImage>> {
        self.images.get(&isa)
    }

    /// The binary that the start node runs, or the sentence why there is none.
    pub fn origin_image(&self, nid: usize, isa: Isa) -> Result<&Arc<ElfImage>, ProgramError> {
        self.image(isa)
            .ok_or_else(|| ProgramError::NoBinaryForOrigin {
                nid,
                isa,
                path: self.host_path.clone(),
                suffix: isa.binary_suffix(),
            })
    }

    /// The binaries by ISA.
    pub fn images(&self) -> impl Iterator<Item = (Isa, &Arc<ElfImage>)> {
        self.images.iter().map(|(isa, image)| (*isa, image))
    }
}

fn with_suffix(path: &Path, isa: Isa) -> PathBuf {
    let mut file = path.as_os_str().to_owned();
    file.push("_");
    file.push(isa.binary_suffix());
    PathBuf::from(file)
}

fn read_image(path: &Path) -> Result<Arc<ElfImage>, ProgramError> {
    let bytes = fs::read(path).map_err(|reason| ProgramError::Read {
        path: path.to_path_buf(),
        reason,
    })?;
    let image = ElfImage::parse(&bytes).map_err(|reason| ProgramError::Elf {
        path: path.to_path_buf(),
        reason,
    })?;
    Ok(Arc::new(image))
}
