//! What models cost: US dollars for a million tokens.

use serde::{Deserialize, Serialize};

use crate::domain::message::Usage;

/// What a model costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// US dollars for a million tokens that it reads.
    pub input_per_million_usd: f64,
    /// US dollars for a million tokens that it reads out of the provider's cache; as `input_per_million_usd` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_per_million_usd: Option<f64>,
    /// US dollars for a million tokens that it writes.
    pub output_per_million_usd: f64,
}

impl Price {
    /// What so many tokens cost, in millionths of a US dollar. Tokens out of the cache are a part of those read.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, and tokens stay far below 2^53"
    )]
    pub fn of(self, usage: Usage) -> u64 {
        let cached = usage.cached_tokens.min(usage.input_tokens);
        let fresh = usage.input_tokens - cached;
        let cached_price = self.cached_per_million_usd.unwrap_or(self.input_per_million_usd);
        // Dollars a million tokens are millionths of a dollar a token.
        let micros = fresh as f64 * self.input_per_million_usd
            + cached as f64 * cached_price
            + usage.output_tokens as f64 * self.output_per_million_usd;
        micros.round() as u64
    }

    /// What is wrong with it, by key and range.
    pub fn problem(&self) -> Option<String> {
        let values = [
            ("input_per_million_usd", Some(self.input_per_million_usd)),
            ("cached_per_million_usd", self.cached_per_million_usd),
            ("output_per_million_usd", Some(self.output_per_million_usd)),
        ];
        let wrong = values.into_iter().find(|(_, value)| value.is_some_and(|value| !(0.0..=100_000.0).contains(&value)));
        wrong.map(|(key, value)| format!("`{key}` is {}; it must be 0 to 100000", value.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_out_of_the_cache_have_a_price_of_their_own() {
        let usage = Usage { input_tokens: 1_000, output_tokens: 100, cached_tokens: 600 };
        let price = Price { input_per_million_usd: 2.5, cached_per_million_usd: Some(1.25), output_per_million_usd: 10.0 };
        assert_eq!(price.of(usage), 1_000 + 750 + 1_000);
        assert_eq!(Price { cached_per_million_usd: None, ..price }.of(usage), 2_500 + 1_000);
        assert_eq!(price.problem(), None);
        assert!(
            Price { output_per_million_usd: -1.0, ..price }.problem().is_some_and(|problem| problem.contains("output_per_million_usd"))
        );
        assert!(Price { input_per_million_usd: f64::NAN, ..price }.problem().is_some());
    }
}
