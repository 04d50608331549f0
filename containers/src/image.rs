//! The image: `FROM scratch`, the static runner, nothing else. Tagged by digest, so that an unchanged runner is never
//! built twice. `docker image prune --all --filter label=org.tinyfarm.runner` removes those of past runners.

use crate::engine::EngineError;
use crate::isolation::{PORT, USER};
use farm::Digest;
use std::path::Path;
use testcontainers::{
    GenericBuildableImage, GenericImage,
    core::{BuildImageOptions, IntoContainerPort, WaitFor},
    runners::AsyncBuilder,
};

/// Name of the image; the tag is the digest of what is in it.
const NAME: &str = "tinyfarm/runner";

/// Builds the image around the runner at `program`, unless the engine has it already. The runner's digest goes into a
/// label.
///
/// # Errors
/// [`EngineError::Refused`] with the engine's words.
pub(crate) async fn build(program: &Path, runner_digest: &str) -> Result<GenericImage, EngineError> {
    let refused = |why: String| EngineError::Refused { what: "build the runner's image", why };
    let bytes = tokio::fs::read(program).await.map_err(|error| refused(format!("{}: {error}", program.display())))?;
    let recipe = format!(
        "FROM scratch\nCOPY runner /runner\nLABEL org.tinyfarm.runner={runner_digest}\nUSER {USER}\n\
         ENTRYPOINT [\"/runner\", \"--listen\", \"{PORT}\"]\n"
    );
    let tag = Digest::of_parts([&bytes[..], recipe.as_bytes()]).to_string();
    let image = GenericBuildableImage::new(NAME, tag)
        .with_dockerfile_string(recipe)
        .with_file(program, "runner")
        .build_image_with(BuildImageOptions::new().with_skip_if_exists(true))
        .await
        .map_err(|error| refused(error.to_string()))?;
    // Docker's proxy takes connections before the runner does, and drops them: wait for the runner's own word.
    Ok(image.with_exposed_port(PORT.tcp()).with_wait_for(WaitFor::message_on_stdout("listening on port")))
}
