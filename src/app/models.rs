//! The model providers: the built-in assistant, those of the config, and those that are known without it.

use std::sync::Arc;

use secrecy::ExposeSecret;

use crate::config::environment::Environment;
use crate::config::settings::{PRESETS, Settings};
use crate::domain::clock::Clock;
use crate::llm::offline::{self, Offline};
use crate::llm::openai::{OpenAi, ProviderOptions};
use crate::llm::{Catalog, Llm};
use crate::net;

/// All providers, and what was passed over.
///
/// # Errors
/// When the default model names a provider that is not there.
pub fn catalog(
    settings: &Settings,
    net: &net::Client,
    clock: &Arc<dyn Clock>,
    environment: &Environment,
) -> anyhow::Result<(Catalog, Vec<String>)> {
    let mut providers: Vec<(String, Arc<dyn Llm>)> = vec![(offline::PROVIDER.to_owned(), Arc::new(Offline::new()))];
    let mut warnings = Vec::new();
    let variable = |name: &str| environment.get(name).map(str::to_owned);
    for (name, options) in all_providers(settings) {
        match OpenAi::new(name.clone(), options, net.clone(), Arc::clone(clock), &variable) {
            Ok(provider) => providers.push((name, Arc::new(provider))),
            Err(error) => warnings.push(format!("provider `{name}` is passed over: {error}")),
        }
    }
    let default = default_model(settings);
    let catalog = Catalog::new(providers, default);
    catalog.resolve(catalog.default_id(), None)?;
    Ok((catalog, warnings))
}

/// `model` of the settings; a provider's name alone stands for its own default model.
fn default_model(settings: &Settings) -> String {
    match settings.providers.get(&settings.model).and_then(|options| options.model.as_ref()) {
        Some(model) => format!("{}/{model}", settings.model),
        None => settings.model.clone(),
    }
}

/// The providers of the config, then the known ones that it does not name.
fn all_providers(settings: &Settings) -> Vec<(String, ProviderOptions)> {
    let mut all: Vec<_> = settings.providers.iter().map(|(name, options)| (name.clone(), options.clone())).collect();
    for (name, base_url, key) in PRESETS {
        if let Some((_, options)) = all.iter_mut().find(|(known, _)| known == name) {
            if options.api_key.is_none() && options.api_key_env.is_none() {
                options.api_key_env = key.map(str::to_owned);
            }
        } else if key.is_none() {
            // Without a key there is nothing to offer where one is needed.
            let base_url = (*base_url).to_owned();
            all.push((
                (*name).to_owned(),
                ProviderOptions { base_url, connect_timeout_seconds: 1, attempts_max: 1, ..ProviderOptions::default() },
            ));
        }
    }
    all
}

/// All secrets that are known, so that logs can mask them.
pub fn secrets(settings: &Settings, environment: &Environment) -> Vec<String> {
    let mut all = Vec::new();
    for options in settings.providers.values() {
        all.extend(options.api_key.as_ref().map(|key| key.expose_secret().to_owned()));
        all.extend(options.headers.values().map(|value| value.expose_secret().to_owned()));
        all.extend(options.api_key_env.as_ref().and_then(|name| environment.get(name)).map(str::to_owned));
    }
    for server in &settings.mcp_servers {
        all.extend(server.api_key.as_ref().map(|key| key.expose_secret().to_owned()));
        all.extend(server.headers.values().cloned());
        all.extend(server.env.values().cloned());
        all.extend(server.api_key_env.as_ref().and_then(|name| environment.get(name)).map(str::to_owned));
    }
    all.extend(settings.web.search.api_key.as_ref().map(|key| key.expose_secret().to_owned()));
    all.extend(settings.cache.redis.as_ref().and_then(crate::store::cache::RedisUrl::password));
    all.extend(settings.interaction_logging.secrets(&|name| environment.get(name).map(str::to_owned)));
    let secret_name = |name: &str| ["KEY", "TOKEN", "SECRET", "PASSWORD"].iter().any(|word| name.to_ascii_uppercase().contains(word));
    all.extend(environment.iter().filter(|(name, _)| secret_name(name)).map(|(_, value)| value.to_owned()));
    all
}
