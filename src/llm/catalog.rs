//! All configured providers by name, and how `provider/model` finds one.

use std::sync::Arc;

use crate::llm::{Error, Llm};

/// A model that was found.
#[derive(Clone)]
pub struct Resolved {
    /// The provider's name in the config; `offline` for the built-in assistant.
    pub provider: String,
    /// The model in the provider's words.
    pub model: String,
    /// The provider.
    pub llm: Arc<dyn Llm>,
}

impl Resolved {
    /// `provider/model`, as it is stored and shown.
    pub fn id(&self) -> String {
        format!("{}/{}", self.provider, self.model)
    }
}

/// All providers.
#[derive(Clone)]
pub struct Catalog {
    providers: Vec<(String, Arc<dyn Llm>)>,
    default: String,
}

impl Catalog {
    /// Providers in the order of the config and the default `provider/model`.
    pub fn new(providers: Vec<(String, Arc<dyn Llm>)>, default: impl Into<String>) -> Self {
        Self { providers, default: default.into() }
    }

    /// The default `provider/model`.
    pub fn default_id(&self) -> &str {
        &self.default
    }

    /// All providers.
    pub fn providers(&self) -> &[(String, Arc<dyn Llm>)] {
        &self.providers
    }

    /// Finds `provider/model`. A name without a known provider in front is a model of the provider of `current`
    /// (or of the default): model names may hold slashes themselves.
    ///
    /// # Errors
    /// When the default names no configured provider, or a provider with a fixed few models has none of this name.
    pub fn resolve(&self, id: &str, current: Option<&str>) -> Result<Resolved, Error> {
        if let Some((provider, model)) = id.split_once('/')
            && let Some(llm) = self.provider(provider)
        {
            return known(Resolved { provider: provider.to_owned(), model: model.to_owned(), llm });
        }
        let base = current.unwrap_or(&self.default);
        let provider = base.split_once('/').map_or(base, |(provider, _)| provider);
        let llm = self.provider(provider).ok_or_else(|| {
            let known: Vec<_> = self.providers.iter().map(|(name, _)| name.as_str()).collect();
            Error::Config(format!(
                "no model provider `{provider}` is configured (there are: {}): set it up under `[providers.{provider}]` (for `openai` the variable `OPENAI_API_KEY` is enough), or choose another `model`",
                known.join(", ")
            ))
        })?;
        known(Resolved { provider: provider.to_owned(), model: id.to_owned(), llm })
    }

    fn provider(&self, name: &str) -> Option<Arc<dyn Llm>> {
        self.providers.iter().find(|(known, _)| known == name).map(|(_, llm)| Arc::clone(llm))
    }
}

/// Takes what was found, where the provider does not know better. Its name alone stands for its first model.
fn known(mut found: Resolved) -> Result<Resolved, Error> {
    let fixed = found.llm.fixed_models();
    if let Some(first) = fixed.first()
        && !fixed.contains(&found.model.as_str())
    {
        if found.model != found.provider {
            let (model, provider) = (crate::domain::text::clean_line(&found.model), &found.provider);
            let has = fixed.join(", ");
            return Err(Error::Config(format!(
                "no model `{model}` of `{provider}` (it has: {has}); another provider's is PROVIDER/MODEL, e.g. openai/gpt-4o"
            )));
        }
        (*first).clone_into(&mut found.model);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::offline::Offline;

    #[test]
    fn the_offline_assistant_has_one_model() {
        let catalog = Catalog::new(vec![("offline".to_owned(), Arc::new(Offline::new()))], "offline/assistant");
        let resolved = |id: &str| catalog.resolve(id, None).map(|found| found.id()).map_err(|error| error.to_string());
        for id in ["offline/assistant", "assistant", "offline"] {
            assert_eq!(resolved(id).unwrap(), "offline/assistant", "{id}");
        }
        for id in ["gpt", "offline/gpt"] {
            let error = resolved(id).unwrap_err();
            assert!(error.contains("no model `gpt` of `offline` (it has: assistant)"), "{error}");
        }
    }
}
