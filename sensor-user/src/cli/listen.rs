//! Options of the HTTP server, and its address.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use log::warn;

use crate::{
    export::metrics,
    geo::Geo,
    model::Region,
    serve::{
        self, Served,
        auth::{Access, Token},
        history::{History, Options, names::NamePages, status::SensorState},
        live::Newest,
        status::{self, About},
    },
};

use super::options::{KeeperArgs, host_name};

/// Where the dashboard is unless another address is named.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8642);

/// How the dashboard is reached, and what it shows.
#[derive(Clone, Debug, clap::Args)]
pub struct ListenArgs {
    /// Serve the dashboard, its API and /metrics at this address, or `off` [default: 127.0.0.1:8642]
    ///
    /// An address that other hosts reach wants --token-file. There is no TLS: leave it to a reverse proxy.
    #[arg(long, env = "TEITEN_LISTEN", value_name = "ADDR:PORT")]
    listen: Option<Listen>,
    /// File with the token that readers must show: one line of 20 characters or more
    #[arg(long, env = "TEITEN_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Pages show no map of the world
    #[arg(long, env = "TEITEN_NO_MAP")]
    no_map: bool,
    #[command(flatten)]
    keeper: KeeperArgs,
}

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listen {
    At(SocketAddr),
    Off,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self::Off);
        }
        text.parse().map(Self::At).map_err(|_| {
            "write an address and a port such as 127.0.0.1:8642 or [::1]:8642, or `off`".to_owned()
        })
    }
}

/// What is ready to be served.
pub struct Listening {
    pub listener: TcpListener,
    pub address: SocketAddr,
    access: Access,
    names: NamePages,
    home: Option<Region>,
    map: bool,
    history: Option<Arc<History>>,
}

impl ListenArgs {
    /// Takes the address, and reads the files that are named; `None` if nothing is to be served. That the default
    /// address cannot be had keeps nothing else from starting. `store`: what is asked for what was kept.
    ///
    /// # Errors
    ///
    /// If there is no token where one is needed, or a file cannot be used; if a named address cannot be had.
    pub fn listen(&self, store: Option<&Path>) -> Result<Option<Listening>> {
        let address = match self.listen {
            Some(Listen::Off) => return Ok(None),
            Some(Listen::At(address)) => address,
            None => DEFAULT,
        };
        let token = self.token_file.as_deref().map(Token::read).transpose()?;
        if token.is_none() && !address.ip().is_loopback() {
            bail!(
                "--listen {address} can be reached from other hosts: say with --token-file FILE what readers must \
                 show, or listen at 127.0.0.1"
            );
        }
        let bound = TcpListener::bind(address);
        let listener = match bound {
            Err(error) if self.listen.is_none() => {
                let why = if error.kind() == io::ErrorKind::AddrInUse {
                    "is in use, perhaps by another agent".to_owned()
                } else {
                    format!("cannot be had: {error}")
                };
                warn!(
                    "no dashboard: {address} {why}; --listen ADDR:PORT names another address, --listen off none"
                );
                return Ok(None);
            }
            bound => bound.with_context(|| {
                format!("cannot serve at {address}: choose another --listen ADDR:PORT, or end what uses it")
            })?,
        };
        let address = listener.local_addr()?;
        let options = |store: &Path| Options {
            store: store.to_owned(),
            home: self.keeper.home,
            files: self.keeper.files(),
            names: self.keeper.names.clone(),
            frozen: self.keeper.frozen.clone(),
            ..Options::default()
        };
        Ok(Some(Listening {
            listener,
            address,
            access: token.map_or(Access::Loopback(address), Access::Token),
            names: NamePages::new(self.keeper.names.as_deref())?,
            home: self.keeper.home,
            map: !self.no_map,
            history: store.map(|store| History::new(options(store)).map(Arc::new)).transpose()?,
        }))
    }
}

/// What there is of an agent that runs.
pub struct Agent {
    pub state: status::Agent,
    pub sensors: Vec<SensorState>,
    pub live: Newest,
    pub metrics: metrics::Newest,
}

impl Listening {
    /// Serves until the process ends. `geo`: where names of autonomous systems are from.
    ///
    /// # Errors
    ///
    /// If the system has no thread for it.
    pub fn serve(self, geo: Arc<Geo>, agent: Option<Agent>) -> Result<()> {
        let (state, live, metrics) = match agent {
            Some(Agent { state, sensors, live, metrics }) => {
                (Some((state, sensors)), Some(live), Some(metrics))
            }
            None => (None, None, None),
        };
        let served = Served {
            access: self.access,
            about: About { host: host_name(), agent: state, home: self.home, map: self.map },
            names: self.names,
            geo,
            history: self.history,
            live,
            metrics,
        };
        serve::start_all(self.listener, served).context("cannot serve the dashboard")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(listen: &str) -> ListenArgs {
        ListenArgs {
            listen: Some(listen.parse().unwrap()),
            token_file: None,
            no_map: false,
            keeper: KeeperArgs::default(),
        }
    }

    #[test]
    fn addresses() {
        assert_eq!("off".parse(), Ok(Listen::Off));
        assert_eq!("[::1]:80".parse(), Ok(Listen::At("[::1]:80".parse().unwrap())));
        for bad in ["", "8642", "localhost:8642", "127.0.0.1", "on"] {
            assert!(bad.parse::<Listen>().is_err(), "{bad}");
        }
    }

    #[test]
    fn other_hosts_want_a_token() {
        let error = args("0.0.0.0:0").listen(None).err().unwrap().to_string();
        assert!(error.contains("--token-file"), "{error}");
        assert!(args("127.0.0.1:0").listen(None).unwrap().is_some());
        assert!(args("off").listen(None).unwrap().is_none());
    }

    #[test]
    fn a_named_address_must_be_had() {
        let first = args("127.0.0.1:0").listen(None).unwrap().unwrap();
        let taken = args(&first.address.to_string()).listen(None).err().unwrap();
        assert!(format!("{taken:#}").contains("another --listen"), "{taken:#}");
    }
}
