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

/// A package of Python's index that tests use.
pub struct PythonPackage {
    pub name: &'static str,
    pub version: &'static str,
    /// SHA-256 of each wheel that may be installed.
    pub sha256: &'static [&'static str],
}

/// DuckDB, by which tests read Parquet files: wheels for CPython 3.10 to 3.14 on x86_64 and aarch64 with glibc. And
/// html5lib, by which they read HTML as strictly as its standard does, with what it needs.
pub const PYTHON: [PythonPackage; 4] = [
    PythonPackage {
        name: "duckdb",
        version: "1.4.5",
        sha256: &[
            "11f2b26b8b0f0fa6ab44cabc77c30b1ddb44f8e81bc5669c0809a647f62e27ef",
            "4b1849e4647a744d0f184f3ff53e180fd245198312cf445a0af735cce6dc55ca",
            "45b6ac74a17a80d19e9da4b224115aac1ed691dcb56e271a88ee665c9e05c57a",
            "326429624e488faecafcee8c1d02668bf424b144f1ac6ef8706028c439c3f5ab",
            "aa294d028c149ca21110e366eaffcb4fc9ab11d7d203d50f7bc49a07ab34b960",
            "0c72b1dcf27a71ef5f3dc14b92b9ed9274c5584bb0e88590b78907cbb8e254f3",
            "a3569583e12d61f9b8446ca8a0e4ee25c2fe9b04c2b010c2e3bad26fc3d65882",
            "414d50b59864582cf00e503c316d7ca5a8577ee628c62fc203993eba2ad51a69",
            "64fe5e7ec74696788ce1e4157d1b70e45806756234c22c1a59bfcd28de1cae7b",
            "52f429653701676df74ccfbfb05baf9ee8cf46d830353574872d053142d6b018",
        ],
    },
    PythonPackage {
        name: "html5lib",
        version: "1.1",
        sha256: &["0d78f8fde1c230e99fe37986a60526d7049ed4bf8a9fadbad5f00e22e58e041d"],
    },
    PythonPackage {
        name: "six",
        version: "1.17.0",
        sha256: &["4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274"],
    },
    PythonPackage {
        name: "webencodings",
        version: "0.5.1",
        sha256: &["a0af1213f3c2226497a97e2b3aa01a7e4bee4f403f95be16fc9acd2947514a78"],
    },
];

/// Debian's browser, and its typefaces of Japanese: what tests look at pages with.
pub const DEBIAN_CHROMIUM: &str = "chromium";
pub const DEBIAN_JAPANESE: &str = "fonts-noto-cjk";

/// A package of the npm registry.
pub struct Archive {
    pub name: &'static str,
    pub version: &'static str,
    /// SHA-512 of the package, in hex.
    pub sha512: &'static str,
    /// Name of the folder that it is unpacked in.
    pub short: &'static str,
}

/// Names of regions, by the Unicode Consortium (Unicode-3.0).
pub const CLDR_NAMES: Archive = Archive {
    name: "cldr-localenames-full",
    version: "48.2.0",
    sha512: "e28d296980f3d145e17e10a101516499597608fd184d212a13a5ab0b47cd69f6\
             920b9bb90c05e98711f7499d548dccdaae292bf034e82997e2a24e84a962dd35",
    short: "cldr",
};

/// Names of ports after IANA's registry, by silverwind (BSD-2-Clause).
pub const PORT_NAMES: Archive = Archive {
    name: "port-numbers",
    version: "8.0.35",
    sha512: "50aa80616469d380d823a8b6a9a90aecd304462aa46baab1827c619be643a2c8\
             8d62ff5a35589e5b29a6437055d770372e07e58b3961a00544b6bd3066cbc26d",
    short: "ports",
};

/// Codes of regions, by the Unicode Consortium (Unicode-3.0).
pub const CLDR_CODES: Archive = Archive {
    name: "cldr-core",
    version: "48.2.0",
    sha512: "cdf98ba2d867712c1fbf68e57afa12ae0236546807f120c61d7b2dea3504a2d1\
             c0f27abd2207a0f63cdd24316d06ca3da6026e1bcf432b5e93ceb9990dda3606",
    short: "codes",
};

/// Outlines of regions, by Natural Earth (public domain), as Michael Bostock packed them (ISC).
pub const WORLD: Archive = Archive {
    name: "world-atlas",
    version: "2.0.2",
    sha512: "2177d5d2ac25297a5c933d458705d5c0a46388884e9d6b6d3ac926e42b7132c8\
             e013f317018447589aa05cea4cf0891c3c1a179f24d4e651477186b90a11b42d",
    short: "world",
};

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

impl DataPackage {
    pub const fn archive(&self) -> Archive {
        Archive { name: self.name, version: self.version, sha512: self.sha512, short: self.short }
    }
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
    fn wheels_have_a_sum_each() {
        let sums: Vec<&str> = PYTHON.iter().flat_map(|package| package.sha256).copied().collect();
        assert!(sums.iter().all(|sum| sum.len() == 64));
        assert!((1..sums.len()).all(|index| !sums[..index].contains(&sums[index])));
        assert!(PYTHON.iter().all(|package| !package.sha256.is_empty()));
    }

    #[test]
    fn data_pins_are_whole() {
        for archive in [CLDR_NAMES, PORT_NAMES, CLDR_CODES, WORLD] {
            assert_eq!(archive.sha512.len(), 128, "{}", archive.name);
        }
        for package in DATA {
            assert_eq!(package.sha512.len(), 128, "{}", package.name);
            assert!(package.version.contains(&package.date.replace('-', "")), "{}", package.name);
        }
    }
}
