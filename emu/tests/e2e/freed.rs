//! Clusters that are dropped give their memory back: this process does not grow, however many it has had.

use std::fs;

use isa::Isa;

use crate::in_process::{checked, run};

/// Pages of this process that are in memory.
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("the host is Linux");
    let pages = statm.split(' ').nth(1).and_then(|field| field.parse().ok());
    pages.expect("statm has numbers")
}

#[test]
fn two_hundred_clusters_one_after_the_other_need_the_memory_of_a_few() {
    let config = checked(&[Isa::X86_64, Isa::Aarch64]);
    let some = |count| {
        for _ in 0..count {
            run(&config, "hello", &[]);
        }
        resident()
    };
    // The first few fill what allocators and the engine keep.
    let (before, after) = (some(20), some(180));
    assert!(
        after < before + before / 4,
        "{before} pages after 20 clusters, {after} after 200"
    );
}
