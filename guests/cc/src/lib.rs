//! kettle-cc as a library.
