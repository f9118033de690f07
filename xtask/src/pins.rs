//! Every version that `cargo xtask setup` fetches, in one place.

/// The linker of BPF programs: one crate, built against the LLVM of the compiler in use.
pub const BPF_LINKER: &str = "0.13.0";

/// LLVM releases that [`BPF_LINKER`] can be built against.
pub const BPF_LINKER_LLVMS: [u32; 3] = [21, 22, 23];

/// LLVM of Debian's `rustc-web`; `llvm-22-dev` in [`DEBIAN_TOOLCHAIN`] is the same release.
pub const DEBIAN_LLVM: u32 = 22;

/// Debian's compiler with a ready-built `core` for `bpfel-unknown-none`, and what builds a linker for it
/// (`g++` brings the C++ library that LLVM is linked with).
pub const DEBIAN_TOOLCHAIN: [&str; 6] =
    ["rustc-web", "cargo-web", "rust-web-llvm", "libstd-rust-web-dev-bpf", "llvm-22-dev", "g++"];

/// Debian's linter of the same release as its compiler, for the eBPF crate.
pub const DEBIAN_CLIPPY: &str = "rust-web-clippy";

/// The target that the eBPF crate is built for.
pub const BPF_TARGET: &str = "bpfel-unknown-none";

/// A data package of the npm registry.
pub struct DataPackage {
    pub name: &'static str,
    pub version: &'static str,
    /// When the data was collected, as the version says.
    pub date: &'static str,
    /// SHA-512 of the package, in hex.
    pub sha512: &'static str,
    /// What the package's own manifest declares.
    pub licence: &'static str,
    pub attribution: &'static str,
    /// Prefix of its licence texts' names under `data/licences`.
    pub short: &'static str,
    /// Name in the package → name under `data/`.
    pub files: &'static [(&'static str, &'static str)],
    /// Licence texts in the package.
    pub licences: &'static [&'static str],
}

/// Country of an address: IPv4 and IPv6 in one MMDB file.
pub const COUNTRY: DataPackage = DataPackage {
    name: "@ip-location-db/geo-whois-asn-country-mmdb",
    version: "2.3.2026061719",
    date: "2026-06-17",
    sha512: "c5e9810cd425e260980ee55ba9ede32862ac543ca464691fbde6e1b4e87fdd51\
             8b69dabcbeca7bb7ba27b69314b77847eec0064f478b0f227df5257ed306b166",
    licence: "CC0-1.0 as the package declares; its source NRO: CC BY 4.0",
    attribution: "Number Resource Organization (nro.net), OpenGeoFeed",
    short: "country",
    files: &[("geo-whois-asn-country.mmdb", "country.mmdb")],
    licences: &["NRO_LICENSE"],
};

/// Autonomous system of an address: ranges as CSV, IPv4 and IPv6 apart.
pub const ASN: DataPackage = DataPackage {
    name: "@ip-location-db/asn",
    version: "2.3.2026061719",
    date: "2026-06-17",
    sha512: "3e9a988bbc321325b0ba75c1b65fb2dd58b8d374af372c28b56c2f9a2602394b\
             44d1256897f49fe3dd847be784ac4ce79866a9c44401d9201fae95ee67d6bebd",
    licence: "CC BY 4.0",
    attribution: "RouteViews (routeviews.org), IP Geolocation by DB-IP (db-ip.com), \
                  Number Resource Organization (nro.net); merged by ip-location-db",
    short: "asn",
    files: &[("asn-ipv4.csv", "asn-ipv4.csv"), ("asn-ipv6.csv", "asn-ipv6.csv")],
    licences: &["ROUTEVIEWS-LICENSE", "DBIP-LICENSE", "NRO_LICENSE", "MODIFICATIONS"],
};

pub const DATA: [&DataPackage; 2] = [&COUNTRY, &ASN];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debian_llvm_is_one_that_the_linker_knows() {
        assert!(BPF_LINKER_LLVMS.contains(&DEBIAN_LLVM));
        assert!(DEBIAN_TOOLCHAIN.contains(&format!("llvm-{DEBIAN_LLVM}-dev").as_str()));
    }

    #[test]
    fn data_pins_are_whole() {
        for package in DATA {
            assert_eq!(package.sha512.len(), 128, "{}", package.name);
            assert!(package.version.contains(&package.date.replace('-', "")), "{}", package.name);
        }
    }
}
