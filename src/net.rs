//! One HTTP client, retry policy, limits.
