//! Which inherited environment variables a command may see.

/// Set by `cargo run` for xtask itself; in another cargo they would only make builds look out of date.
pub fn is_of_cargo_run(name: &str) -> bool {
    const NAMES: [&str; 6] = [
        "CARGO_BIN_NAME",
        "CARGO_CRATE_NAME",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_TARGET_TMPDIR",
        "OUT_DIR",
        "RUST_RECURSION_COUNT",
    ];
    const PREFIXES: [&str; 3] = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_EXE_"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Chooses or tunes the outer toolchain, so that it must not reach the cargo that builds the eBPF crate.
///
/// Where packages come from and how progress is shown is kept: `CARGO_HOME`, `CARGO_NET_*`, `CARGO_HTTP_*`,
/// `CARGO_REGISTR*`, `CARGO_SOURCE_*`, `CARGO_TERM_*`, and rustup's own home and servers.
pub fn is_of_outer_toolchain(name: &str) -> bool {
    const KEPT: [&str; 6] =
        ["CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTRIES_", "CARGO_REGISTRY_", "CARGO_SOURCE_", "CARGO_TERM_"];
    const NAMES: [&str; 8] = [
        "CARGO",
        "RUSTC",
        "RUSTDOC",
        "RUSTFLAGS",
        "RUSTDOCFLAGS",
        "RUSTUP_TOOLCHAIN",
        "RUSTUP_TOOLCHAIN_SOURCE",
        // `cargo run` puts the libraries of the outer compiler first.
        "LD_LIBRARY_PATH",
    ];
    if name == "CARGO_HOME" || KEPT.iter().any(|prefix| name.starts_with(prefix)) {
        return false;
    }
    is_of_cargo_run(name)
        || NAMES.contains(&name)
        || name.starts_with("CARGO_")
        || name.starts_with("RUSTC_")
        || name.starts_with("CLIPPY_")
}

/// A question's answer that is yes unless it is empty, `0`, `false` or `no`.
pub fn is_yes(value: &str) -> bool {
    !matches!(value.to_ascii_lowercase().as_str(), "" | "0" | "false" | "no")
}

/// Variables that a command started through sudo must see: this project's, and those of logs and colours.
pub fn passes_sudo(name: &str) -> bool {
    name.starts_with("TEITEN_")
        || matches!(
            name,
            "RUST_LOG" | "RUST_BACKTRACE" | "NO_COLOR" | "TERM" | "COLORTERM" | "LANG" | "TZ" | "CI"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inner_cargo_sees_nothing_of_the_outer_toolchain() {
        for name in [
            "CARGO",
            "CARGO_MANIFEST_DIR",
            "CARGO_PKG_NAME",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_TARGET_DIR",
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER",
            "CARGO_BUILD_TARGET",
            "CARGO_PROFILE_RELEASE_LTO",
            "RUSTUP_TOOLCHAIN",
            "RUSTC",
            "RUSTC_WRAPPER",
            "RUSTC_BOOTSTRAP",
            "RUSTFLAGS",
            "LD_LIBRARY_PATH",
        ] {
            assert!(is_of_outer_toolchain(name), "{name}");
        }
    }

    #[test]
    fn the_inner_cargo_keeps_its_way_to_packages() {
        for name in [
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "CARGO_HTTP_PROXY",
            "CARGO_REGISTRIES_CRATES_IO_PROTOCOL",
            "CARGO_TERM_COLOR",
            "RUSTUP_HOME",
            "PATH",
            "HOME",
            "RUST_BACKTRACE",
        ] {
            assert!(!is_of_outer_toolchain(name), "{name}");
        }
    }

    #[test]
    fn the_outer_cargo_keeps_the_users_choices() {
        for name in ["CARGO_TARGET_DIR", "RUSTFLAGS", "RUSTUP_TOOLCHAIN", "CARGO_BUILD_JOBS", "CARGO"] {
            assert!(!is_of_cargo_run(name), "{name}");
        }
        assert!(is_of_cargo_run("CARGO_MANIFEST_DIR"));
        assert!(is_of_cargo_run("CARGO_PKG_VERSION"));
    }

    #[test]
    fn yes_and_no() {
        assert!(is_yes("true") && is_yes("1"));
        assert!(!is_yes("") && !is_yes("0") && !is_yes("False"));
    }
}
