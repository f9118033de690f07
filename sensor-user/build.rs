//! Finds the BPF object that the agent embeds.

use std::path::Path;

fn main() {
    let object = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bpf/teiten.o");
    println!("cargo::rerun-if-changed={}", object.display());
    if object.is_file() {
        println!("cargo::rustc-env=TEITEN_OBJECT={}", object.display());
    } else {
        println!(
            "cargo::error=the BPF object {} is not built yet: run `cargo xtask build`, which builds it first",
            object.display()
        );
    }
}
