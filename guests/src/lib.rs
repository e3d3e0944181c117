//! The guest programs, built from C source, by name.
#![forbid(unsafe_code)]
