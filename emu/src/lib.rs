//! The machine: vCPU, memory, nodes, cluster, virtual-time engine.
