//! Random numbers: each use has a generator of its own, named, and seeded from the cluster's seed, that name and the node.
//!
//! So one more draw in a protocol changes no number that a program is given, and the other way round. Left out: entropy; every run draws the same.

use msglayer::Nid;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

/// A source of random numbers.
pub type Generator = Xoshiro256PlusPlus;

/// The generator of this name on a node.
pub fn generator(seed: u64, name: &str, nid: Nid) -> Generator {
    let words = [seed.to_le_bytes(), (nid.index() as u64).to_le_bytes()];
    // FNV-1a, 64 bits: spread further by the generator's own seeding.
    let hash = words
        .as_flattened()
        .iter()
        .chain(name.as_bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    Generator::seed_from_u64(hash)
}

#[cfg(test)]
mod tests {
    use rand_core::Rng;

    use super::*;

    #[test]
    fn seed_name_and_node_each_make_another_generator() {
        let first = |seed, name, nid| generator(seed, name, Nid::new(nid).unwrap()).next_u64();
        let plain = first(0, "a", 0);
        assert_eq!(first(0, "a", 0), plain);
        for other in [first(1, "a", 0), first(0, "b", 0), first(0, "a", 1)] {
            assert_ne!(other, plain);
        }
    }
}
