//! A node: memory, vCPUs, a root and a kernel, put together.

use std::rc::Rc;
use std::sync::Arc;

use kernel_model::fs::RootFs;
use kernel_model::{Cpu, EventSink, Hardware, Kernel, NodeConfig, PhysMemory};
use msglayer::Nid;
use thiserror::Error;

use crate::memory::{Arena, MemoryError};
use crate::vcpu::{UnicornCpu, VcpuError};

/// Why a node cannot be built.
#[derive(Debug, Error)]
pub enum NodeError {
    /// Its memory.
    #[error("node {nid}: {reason}")]
    Memory {
        /// Which node.
        nid: Nid,
        /// What failed.
        reason: MemoryError,
    },
    /// A vCPU.
    #[error("node {nid}: {reason}")]
    Vcpu {
        /// Which node.
        nid: Nid,
        /// What failed.
        reason: VcpuError,
    },
}

/// Builds and boots a node with `frames` frames of memory.
pub fn boot(
    config: NodeConfig,
    frames: u64,
    root: Rc<dyn RootFs>,
    events: Rc<dyn EventSink>,
    peers: &[Nid],
) -> Result<Rc<Kernel>, NodeError> {
    let nid = config.nid;
    let arena = Arc::new(Arena::new(frames).map_err(|reason| NodeError::Memory { nid, reason })?);
    let cpus: Result<Vec<Box<dyn Cpu>>, VcpuError> = (0..config.cpus)
        .map(|_| {
            UnicornCpu::new(config.isa, Arc::clone(&arena)).map(|cpu| Box::new(cpu) as Box<dyn Cpu>)
        })
        .collect();
    let cpus = cpus.map_err(|reason| NodeError::Vcpu { nid, reason })?;
    let memory: Rc<dyn PhysMemory> = Rc::new(SharedArena(arena));
    Ok(Kernel::boot(
        config,
        Hardware {
            cpus,
            memory,
            root,
            events,
        },
        peers,
    ))
}

/// The arena as the kernel holds it, next to the vCPUs that hold it too.
struct SharedArena(Arc<Arena>);

impl PhysMemory for SharedArena {
    fn frames(&self) -> u64 {
        PhysMemory::frames(&*self.0)
    }

    fn read(&self, addr: isa::PhysAddr, out: &mut [u8]) {
        self.0.read(addr, out);
    }

    fn write(&self, addr: isa::PhysAddr, bytes: &[u8]) {
        self.0.write(addr, bytes);
    }
}
