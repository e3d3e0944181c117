//! The kernel message layer of Popcorn Linux (kmsg).
#![forbid(unsafe_code)]
