//! Takes the version from the npm package, so that the two cannot differ, and sets what the linker must know.

use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let manifest = Path::new("..").join("package.json");
    println!("cargo:rerun-if-changed={}", manifest.display());
    let version = fs::read_to_string(&manifest).ok().as_deref().and_then(version_of).map(str::to_owned);
    let Some(version) = version else {
        eprintln!("{} has no \"version\"", manifest.display());
        return ExitCode::FAILURE;
    };
    println!("cargo:rustc-env=ASHERAH_NATIVE_VERSION={version}");
    match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        // A worker's end unloads what only it has loaded, while strings of ours may still be alive in its heap.
        Ok("linux") => println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete"),
        // The functions of Node-API are in the executable that loads the library.
        Ok("macos") => println!("cargo:rustc-cdylib-link-arg=-Wl,-undefined,dynamic_lookup"),
        _ => {}
    }
    ExitCode::SUCCESS
}

fn version_of(manifest: &str) -> Option<&str> {
    let (_, after) = manifest.split_once("\"version\"")?;
    let (_, after) = after.split_once('"')?;
    let (version, _) = after.split_once('"')?;
    Some(version)
}
