//! A cluster's configuration: one set of types behind the flags of the command and the cluster file.
//!
//! A cluster file is TOML. Values that have a unit carry it ("2us", "56Gbit/s", "256MiB", "2.4GHz"). Nothing is silently ignored: an unknown
//! key, a wrong unit or an impossible value is refused with file, line and what would be right.

mod file;
mod units;

use std::path::PathBuf;

use isa::{Isa, PAGE_SIZE};
use kernel_model::{NodeConfig, Profile};
use msglayer::link::LinkError;
use msglayer::{LinkModel, MAX_POPCORN_NODES, Nid, SimTime};
use thiserror::Error;

pub use units::{Frequency, MemorySize, UnitError};

/// Memory of a node unless said otherwise.
const DEFAULT_MEMORY: MemorySize = MemorySize::from_mib(512);

/// Why there is no such cluster.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the cluster file {path} cannot be read: {reason}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the host says.
        reason: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("the cluster file {path} is wrong: {message}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Line, column, key, and what would be right.
        message: String,
    },
    /// No nodes, or too many.
    #[error("a cluster has 1 to {MAX_POPCORN_NODES} nodes, and this one would have {0}")]
    NodeCount(usize),
    /// The link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// vCPUs.
    #[error("node {nid} would have {cpus} vCPUs; 1 to {max} are possible")]
    Cpus {
        /// Which node.
        nid: usize,
        /// How many were asked for.
        cpus: u16,
        /// The most.
        max: usize,
    },
    /// A figure that has to be more than zero.
    #[error("node {nid}: {what} has to be more than zero")]
    Zero {
        /// Which node.
        nid: usize,
        /// Which figure.
        what: &'static str,
    },
}

/// One node's part.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeSpec {
    /// Its instruction set.
    pub isa: Isa,
    /// vCPUs.
    pub cpus: u16,
    /// Physical memory.
    pub memory: MemorySize,
    /// Clock; the ISA's default if not given.
    pub frequency: Option<Frequency>,
    /// Cycles per instruction, in thousandths.
    pub cpi_milli: u64,
}

impl NodeSpec {
    /// A node of this ISA with all defaults.
    pub fn new(isa: Isa) -> Self {
        Self {
            isa,
            cpus: 1,
            memory: DEFAULT_MEMORY,
            frequency: None,
            cpi_milli: 1_000,
        }
    }
}

/// A cluster.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// The nodes, by number.
    pub nodes: Vec<NodeSpec>,
    /// The link between any two.
    pub link: LinkModel,
    /// What all random draws come from.
    pub seed: u64,
    /// Which Popcorn.
    pub profile: Profile,
    /// The directory that guests see as `/`; what they write stays in memory.
    pub root: Option<PathBuf>,
    /// Check the page server's invariants all the time.
    pub check_invariants: bool,
    /// Fill undescribed FP/SIMD registers with a pattern at arrival.
    pub poison_arrivals: bool,
    /// Guest instructions between two looks at a node's events.
    pub quantum: u64,
    /// End the run at this virtual time.
    pub max_time: Option<SimTime>,
}

/// Guest instructions per quantum unless said otherwise: 5 us of a 2 GHz CPU, about the latency of a fast link.
const DEFAULT_QUANTUM: u64 = 10_000;

impl ClusterConfig {
    /// A cluster of nodes with these ISAs and all defaults.
    pub fn of(isas: &[Isa]) -> Self {
        Self {
            nodes: isas.iter().map(|isa| NodeSpec::new(*isa)).collect(),
            link: LinkModel::default(),
            seed: 0,
            profile: Profile::default(),
            root: None,
            check_invariants: false,
            poison_arrivals: false,
            quantum: DEFAULT_QUANTUM,
            max_time: None,
        }
    }

    /// Checks what the types leave open.
    pub fn check(self) -> Result<Self, ConfigError> {
        if self.nodes.is_empty() || self.nodes.len() > MAX_POPCORN_NODES {
            return Err(ConfigError::NodeCount(self.nodes.len()));
        }
        self.link.check()?;
        for (nid, node) in self.nodes.iter().enumerate() {
            let max = crate::vcpu::MAX_VCPUS;
            if node.cpus == 0 || usize::from(node.cpus) > max {
                return Err(ConfigError::Cpus {
                    nid,
                    cpus: node.cpus,
                    max,
                });
            }
            if node.cpi_milli == 0 {
                return Err(ConfigError::Zero { nid, what: "cpi" });
            }
        }
        if self.quantum == 0 {
            return Err(ConfigError::Zero {
                nid: 0,
                what: "quantum",
            });
        }
        Ok(self)
    }

    /// The kernel parameters and the number of memory frames of one node.
    pub(crate) fn node(&self, nid: Nid) -> (NodeConfig, u64) {
        let spec = &self.nodes[nid.index()];
        let mut node = NodeConfig::new(nid, spec.isa);
        node.cpus = spec.cpus;
        if let Some(frequency) = spec.frequency {
            node.frequency = frequency.as_hz();
        }
        node.cpi_milli = spec.cpi_milli;
        node.quantum = self.quantum;
        node.link = self.link;
        node.seed = self.seed;
        node.profile = self.profile;
        node.check_invariants = self.check_invariants;
        node.poison_arrivals = self.poison_arrivals;
        (node, spec.memory.as_bytes() / PAGE_SIZE)
    }
}
