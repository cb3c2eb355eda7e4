//! Tests of whole features, in one binary: each one links the whole library.

mod store;
