//! Tests of polite fetching.
