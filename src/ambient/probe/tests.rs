//! Tests of the probes.
