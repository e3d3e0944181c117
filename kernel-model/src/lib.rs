//! The modelled Popcorn Linux kernel of one node.
#![forbid(unsafe_code)]
