//! Vectors of texts: the contract. `openai` has the implementation for every provider with an `/embeddings` route.

use futures::future::BoxFuture;

use crate::llm::Error;

/// The most texts of one call; providers take 100 and more, small machines are slow with many.
pub const TEXTS_MAX: usize = 64;

/// Makes vectors of texts.
pub trait Embedder: Send + Sync {
    /// `provider/model`: vectors of one name can be compared with each other and with no others.
    fn id(&self) -> &str;

    /// A vector for each of `texts` (at most [`TEXTS_MAX`]), in their order.
    ///
    /// # Errors
    /// When the provider cannot be asked, all tries are spent, or what it says is no vector for each text.
    fn embed(&self, texts: Vec<String>) -> BoxFuture<'static, Result<Vec<Vec<f32>>, Error>>;
}
