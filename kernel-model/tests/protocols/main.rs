//! Popcorn's protocols as the modelled kernels speak them, on clusters of scripted CPUs: no emulator, no guest code, every byte checked.

mod bad_arguments;
mod chaos;
mod clock;
mod coherence;
mod contents;
mod determinism;
mod dsm;
mod fatal_frames;
mod file_maps;
mod files;
mod futex;
mod golden_opening;
mod hops;
mod hostile;
mod migrate_errors;
mod migration;
mod robust;
mod signals;
mod soak;
mod support;
mod vma;
