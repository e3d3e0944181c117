//! What distinguishes one node from another: the parameters of a modelled kernel. Plain data; `emu` fills it from flags and cluster files.

use isa::Isa;
use isa::syscall::PopcornAbi;
use msglayer::{LinkModel, Nid, SimDuration};

/// Which Popcorn a node models where the original would hang, spin or hit BUG.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Profile {
    /// A clean error or an extension instead, each listed in the table of deviations.
    #[default]
    Kettle,
    /// The 5.2.21 kernel as it is; the run stops with "would BUG: ..." or "would hang: ...".
    K52,
}

/// Parameters of one node.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Its place in the node list.
    pub nid: Nid,
    /// Its instruction set.
    pub isa: Isa,
    /// Number of vCPUs.
    pub cpus: u16,
    /// Clock frequency of a vCPU in Hz.
    pub frequency: u64,
    /// Cycles per instruction, in thousandths.
    pub cpi_milli: u64,
    /// Guest instructions per quantum: how long user code runs between two looks at the node's events.
    pub quantum: u64,
    /// How long a user task keeps its vCPU when others want it.
    pub time_slice: SimDuration,
    /// The link to every other node.
    pub link: LinkModel,
    /// Seed of the cluster; each node draws from its own generator made of it and its nid.
    pub seed: u64,
    /// Which Popcorn to model.
    pub profile: Profile,
    /// Under which numbers the programs of the cluster make Popcorn's calls.
    pub popcorn_abi: PopcornAbi,
    /// Check the page server's invariants after every transition (all nodes of a process).
    pub check_invariants: bool,
    /// Fill undescribed FP/SIMD registers and flags with a pattern when a thread arrives.
    pub poison_arrivals: bool,
    /// Most tasks that may exist at once.
    pub max_tasks: usize,
}

impl NodeConfig {
    /// The defaults for a node: 1 vCPU of 2.4 GHz (x86_64) or 2.0 GHz (aarch64), one cycle an instruction (assumed).
    pub fn new(nid: Nid, isa: Isa) -> Self {
        let frequency = match isa {
            Isa::X86_64 => 2_400_000_000,
            Isa::Aarch64 => 2_000_000_000,
        };
        Self {
            nid,
            isa,
            cpus: 1,
            frequency,
            cpi_milli: 1_000,
            quantum: 10_000,
            time_slice: SimDuration::from_ms(3),
            link: LinkModel::default(),
            seed: 0,
            profile: Profile::default(),
            popcorn_abi: PopcornAbi::default(),
            check_invariants: cfg!(debug_assertions),
            poison_arrivals: false,
            max_tasks: 4096,
        }
    }
}
