//! What tests and benchmarks of the whole sensor share.
