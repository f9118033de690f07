//! Counters that outlive the agent: programs, maps and links pinned in a BPF file system.
//!
//! A directory holds one directory for each *generation*, which is a program loaded once with its
//! maps, named after the generation's 32 hexadecimal digits. In it are the files `control`, `blocks`,
//! `ports`, `spill`, `events` and `program`, and one `link-N` for each interface with index N.
//!
//! Whatever happens in more than one step is done under another name first: `<generation>-new` is one
//! in the making, `<generation>-old` one that is being removed. Neither has links, so nothing counts
//! there, and whoever finds one removes it. (Names in a BPF file system have no dots.)
//!
//! Whoever works with the counters holds a lock on the directory (`flock(2)`), which ends with the
//! process.
//!
//! Minimum kernel: Linux 5.9 for pinned links whose program can be replaced, less than counting wants.

use std::{
    collections::BTreeSet,
    ffi::CStr,
    fs::{self, DirBuilder, File},
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::{DirBuilderExt, MetadataExt},
    },
    path::{self, Path, PathBuf},
    ptr, thread,
    time::{Duration, Instant},
};

use aya_obj::generated::{bpf_map_type::BPF_MAP_TYPE_ARRAY, bpf_prog_type::BPF_PROG_TYPE_XDP};
pub use sensor_common::layout::AgentNote;
use sensor_common::layout::{Control, MAGIC, VERSION};

use super::{
    attach::{self, Mode},
    banks::{Banks, Header, share},
    error::KernelError,
    features::is_bpf_file_system,
    interfaces::{Interface, interfaces_now},
    maps::{Maps, Shape},
    program::{Entry, Loaded, Program, Sizes},
    sys::{
        self, Object, XdpLink, array_element, link_detach, link_update, map_info, program_info, program_maps,
    },
};
use crate::model::hex;

/// Where counters are pinned unless another directory is named.
pub const DEFAULT: &str = "/sys/fs/bpf/teiten";

/// Where the BPF file system is mounted.
const MOUNT: &str = "/sys/fs/bpf";
/// The file of the program.
const PROGRAM: &str = "program";
/// What the names of links begin with.
const LINK: &str = "link-";
/// What the names of generations in the making, and in the removing, end with.
const NEW: &str = "-new";
const OLD: &str = "-old";

/// The pinned counters of one directory, held against other agents as long as this value lives.
#[derive(Debug)]
pub struct Pins {
    path: PathBuf,
    _lock: File,
}

impl Pins {
    /// Takes the directory, which is made if it is not there. Mounts the BPF file system at
    /// `/sys/fs/bpf` if the directory is to be below and nothing is mounted there.
    ///
    /// # Errors
    ///
    /// [`KernelError::Held`] by another agent, [`KernelError::PinPath`], or a system call's error.
    pub fn lock(path: &Path) -> Result<Self, KernelError> {
        let path = path::absolute(path).map_err(call("getcwd", path))?;
        mount_below(&path)?;
        let existing = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
        if !is_bpf_file_system(existing) {
            return Err(KernelError::PinPath {
                path,
                reason: "it is not on a BPF file system; choose a directory below /sys/fs/bpf, or mount one \
                         there (`mount -t bpf bpf DIR`)",
            });
        }
        if path.strip_prefix(existing).is_ok_and(|new| new.to_string_lossy().contains('.')) {
            let reason = "names on a BPF file system have no dots; choose another";
            return Err(KernelError::PinPath { path, reason });
        }
        loop {
            make_directory(&path, true)?;
            let directory = File::open(&path).map_err(call("open", &path))?;
            let ours = directory.metadata().map_err(call("fstat", &path))?;
            if !try_lock(&directory).map_err(call("flock", &path))? {
                return Err(KernelError::Held { pid: holder(&ours), path });
            }
            // It may have been removed just before it was locked.
            if fs::metadata(&path).is_ok_and(|now| now.dev() == ours.dev() && now.ino() == ours.ino()) {
                return Ok(Self { path, _lock: directory });
            }
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens every generation. Removes what is left of those that were being made or removed when an
    /// agent ended.
    ///
    /// # Errors
    ///
    /// [`KernelError::Pinned`] or [`KernelError::OtherLayout`] for the first generation that cannot be
    /// used, or a system call's error.
    pub fn generations(&self) -> Result<Vec<Pinned>, KernelError> {
        let mut complete = Vec::new();
        for name in names(&self.path)? {
            let path = self.path.join(&name);
            match Name::of(&name) {
                Name::Complete(generation) => complete.push((path, generation)),
                Name::Leftover => remove_directory(&path)?,
                Name::Other => {}
            }
        }
        complete.into_iter().map(|(path, generation)| Pinned::open(path, generation)).collect()
    }

    /// Pins a program that was just loaded, and its maps. It is not attached yet.
    ///
    /// # Errors
    ///
    /// A system call's. Nothing stays pinned then.
    pub fn pin(&self, loaded: Loaded) -> Result<Pinned, KernelError> {
        let Loaded { program, banks, object: _ } = loaded;
        let name = hex(&banks.generation());
        let (path, new) = (self.path.join(&name), self.path.join(name + NEW));
        let pinned = make_directory(&new, false).and_then(|()| {
            for (file, map) in Maps::FILES.into_iter().zip(program.maps.all()) {
                pin(map, &new.join(file))?;
            }
            pin(program.fd(), &new.join(PROGRAM))?;
            rename(&new, &path)
        });
        if let Err(error) = pinned {
            // What cannot be removed now is removed when generations are opened.
            let _ = remove_directory(&new);
            return Err(error);
        }
        Ok(Pinned { program, banks, path, links: Vec::new() })
    }

    /// Removes a generation that has no links. Its counts are gone with it.
    ///
    /// # Errors
    ///
    /// [`KernelError::Pinned`] if there are links, or a system call's error.
    pub fn remove(&self, pinned: Pinned) -> Result<(), KernelError> {
        let path = pinned.path;
        if names(&path)?.iter().any(|name| link_index(name).is_some()) {
            return Err(wrong(&path, "it has a link, so that it may still be counting"));
        }
        let mut old = path.clone().into_os_string();
        old.push(OLD);
        let old = PathBuf::from(old);
        rename(&path, &old)?;
        remove_directory(&old)
    }

    /// Detaches and removes every generation, whatever is in it, without a look at its counts. Returns
    /// the directories removed.
    ///
    /// # Errors
    ///
    /// A system call's.
    pub fn discard(&self) -> Result<Vec<PathBuf>, KernelError> {
        let mut removed = Vec::new();
        for name in names(&self.path)? {
            if matches!(Name::of(&name), Name::Other) {
                continue;
            }
            let path = self.path.join(name);
            for name in names(&path)?.iter().filter(|name| link_index(name).is_some()) {
                // Something else in its place has nothing to detach.
                if let Ok(link) = sys::pinned(&path.join(name), false) {
                    let _ = link_detach(link.as_fd());
                }
            }
            remove_directory(&path)?;
            removed.push(path);
        }
        Ok(removed)
    }
}

/// A pinned generation.
pub struct Pinned {
    pub program: Program,
    pub banks: Banks,
    path: PathBuf,
    links: Vec<PinnedLink>,
}

/// A pinned link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedLink {
    /// Index of the interface when the link was made, which names the pin.
    pub ifindex: u32,
    /// Name of the interface with the link's present index, in the network namespace of the thread
    /// that asked.
    pub interface: Option<String>,
    /// Whether the interface is still there.
    pub alive: bool,
    /// Id of the program that it runs.
    pub program: u32,
}

impl Pinned {
    /// The generation's directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its links, as they were when last looked at: when opened, changed or refreshed.
    pub fn links(&self) -> &[PinnedLink] {
        &self.links
    }

    /// Looks at the links again.
    ///
    /// # Errors
    ///
    /// [`KernelError::Pinned`] if something else is in the place of one, or a system call's error.
    pub fn refresh(&mut self) -> Result<(), KernelError> {
        self.links = links(&self.path)?;
        Ok(())
    }

    /// Attaches the program to an interface by a link, and pins the link. A link that has outlived an
    /// interface of this index is removed.
    ///
    /// # Errors
    ///
    /// As [`attach`](attach::attach), or if the link cannot be pinned: then the program is not attached.
    pub fn attach(&mut self, interface: &Interface, mode: Mode) -> Result<(), KernelError> {
        self.refresh()?;
        if self.links.iter().any(|link| link.ifindex == interface.index && !link.alive) {
            self.unlink(interface.index)?;
        }
        let link = attach::create(&self.program, interface, mode)?;
        pin(link.as_fd(), &self.link_path(interface.index))?;
        self.refresh()
    }

    /// Takes a link over from another generation, so that its interface is counted here from now on.
    /// Not a moment passes in which neither counts. Runs that began before may still count there: see
    /// [`Banks::grace`].
    ///
    /// Two steps, the program and the pin; after an end between them the same call does the second one.
    ///
    /// # Errors
    ///
    /// [`KernelError::LinkGone`] if the interface is gone, or a system call's error.
    pub fn adopt_link(&mut self, from: &mut Self, ifindex: u32) -> Result<(), KernelError> {
        let (old, new) = (from.link_path(ifindex), self.link_path(ifindex));
        let (link, known) = open_link(&old)?;
        if known.ifindex == 0 {
            return Err(KernelError::LinkGone { path: old });
        }
        if new.exists() {
            let (_, there) = open_link(&new)?;
            if there.ifindex != 0 {
                return Err(wrong(&new, "it is there already, and alive"));
            }
            self.unlink(ifindex)?;
        }
        if known.program != self.program.id() {
            link_update(link.as_fd(), self.program.fd()).map_err(call("bpf(BPF_LINK_UPDATE)", &old))?;
        }
        rename(&old, &new)?;
        from.refresh()?;
        self.refresh()
    }

    /// Makes a link of ours run our program, if it was left with that of a generation that took it over.
    ///
    /// # Errors
    ///
    /// [`KernelError::Pinned`] if something else is in its place, or a system call's error.
    pub fn claim(&mut self, ifindex: u32) -> Result<(), KernelError> {
        let path = self.link_path(ifindex);
        let (link, known) = open_link(&path)?;
        if known.program != self.program.id() {
            link_update(link.as_fd(), self.program.fd()).map_err(call("bpf(BPF_LINK_UPDATE)", &path))?;
        }
        self.refresh()
    }

    /// Detaches a link and removes its pin.
    ///
    /// # Errors
    ///
    /// [`KernelError::Pinned`] if something else is in its place, or a system call's error.
    pub fn unlink(&mut self, ifindex: u32) -> Result<(), KernelError> {
        let path = self.link_path(ifindex);
        let (link, _) = open_link(&path)?;
        // Whoever else may have it open does not keep it attached.
        link_detach(link.as_fd()).map_err(call("bpf(BPF_LINK_DETACH)", &path))?;
        fs::remove_file(&path).map_err(call("unlink", &path))?;
        self.refresh()
    }

    fn link_path(&self, ifindex: u32) -> PathBuf {
        self.path.join(format!("{LINK}{ifindex}"))
    }

    /// Opens a complete generation. Nothing in it is trusted before it was checked.
    fn open(path: PathBuf, generation: [u8; 16]) -> Result<Self, KernelError> {
        let files = names(&path)?;
        for needed in Maps::FILES.into_iter().chain([PROGRAM]) {
            if !files.contains(needed) {
                return Err(wrong(&path, format!("`{needed}` is missing")));
            }
        }
        let ours = |name: &str| name == PROGRAM || Maps::FILES.contains(&name) || link_index(name).is_some();
        if let Some(foreign) = files.iter().find(|name| !ours(name)) {
            return Err(wrong(&path, format!("`{foreign}` is none of teiten's files")));
        }
        let [control, blocks, ports, spill, events] = Maps::FILES
            .map(|file| sys::pinned(&path.join(file), false).map_err(call(OBJ_GET, &path.join(file))));
        let (control, blocks, ports, spill, events) = (control?, blocks?, ports?, spill?, events?);
        let header = Header::of(&read_control(&path, control.as_fd(), generation)?);
        let maps = Maps { control, blocks, ports, spill, events };
        let sizes = header.sizes;
        let shapes =
            [Shape::CONTROL, Shape::blocks(sizes), Shape::ports(sizes), Shape::spill(sizes), Shape::EVENTS];
        for ((file, map), shape) in Maps::FILES.into_iter().zip(maps.all()).zip(shapes) {
            check(&path, file, shape.wrong(map))?;
        }
        let (program, id, entry) = open_program(&path, &maps)?;
        let links = links(&path)?;
        let banks = Banks::adopt(&maps, sizes)?;
        Ok(Self { program: Program::adopt(program, id, entry, maps), banks, path, links })
    }
}

/// What an observer sees of a directory of pinned counters.
#[derive(Debug)]
pub struct Look {
    /// The agent that holds the directory; `None` if there is none, or if it is in another process
    /// namespace.
    pub holder: Option<u32>,
    /// Every complete generation, or what is wrong with it.
    pub generations: Vec<Result<Seen, KernelError>>,
}

/// What an observer sees of a generation.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub header: Header,
    /// How much of the live bank's spill log is used: 0 to 1.
    pub spill_used: f64,
    /// What the agent says of itself, or the last one said.
    pub agent: AgentNote,
    pub links: Vec<SeenLink>,
}

/// What an observer sees of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenLink {
    pub link: PinnedLink,
    /// `None` if the interface is gone, or is not in the observer's network namespace.
    pub mode: Option<Mode>,
}

/// Looks at pinned counters without the lock, and without a change to them. A directory that is not
/// there has nothing in it.
///
/// # Errors
///
/// A system call's, such as for want of privilege.
pub fn look(path: &Path) -> Result<Look, KernelError> {
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Look { holder: None, generations: Vec::new() });
        }
        result => result.map_err(call("stat", path))?,
    };
    let all = interfaces_now()?;
    let mut generations = Vec::new();
    for name in names(path)? {
        let Name::Complete(generation) = Name::of(&name) else { continue };
        let path = path.join(name);
        let seen = see(&path, generation, &all);
        // The agent may have removed it meanwhile.
        if path.exists() {
            generations.push(seen);
        }
    }
    Ok(Look { holder: holder(&metadata), generations })
}

fn see(path: &Path, generation: [u8; 16], all: &[Interface]) -> Result<Seen, KernelError> {
    let file = path.join(Maps::FILES[0]);
    let control = sys::pinned(&file, true).map_err(call(OBJ_GET, &file))?;
    let control = read_control(path, control.as_fd(), generation)?;
    let links = links(path)?
        .into_iter()
        .map(|link| {
            let interface = all.iter().find(|interface| interface.xdp_program == Some(link.program));
            let interface = interface.filter(|interface| link.interface.as_ref() == Some(&interface.name));
            SeenLink { mode: interface.and_then(|interface| interface.xdp_mode), link }
        })
        .collect();
    let live = &control.banks[(control.epoch & 1) as usize];
    Ok(Seen {
        header: Header::of(&control),
        spill_used: share(live.spill_next, control.chunks.into()),
        agent: control.agent,
        links,
    })
}

const OBJ_GET: &str = "bpf(BPF_OBJ_GET)";

/// What the name of a directory says of what is in it.
#[derive(Debug, PartialEq, Eq)]
enum Name {
    /// A generation.
    Complete([u8; 16]),
    /// A generation in the making or in the removing.
    Leftover,
    /// Nothing of ours.
    Other,
}

impl Name {
    fn of(name: &str) -> Self {
        let stem = name.strip_suffix(NEW).or_else(|| name.strip_suffix(OLD));
        match unhex(stem.unwrap_or(name)) {
            Some(_) if stem.is_some() => Self::Leftover,
            Some(generation) => Self::Complete(generation),
            None => Self::Other,
        }
    }
}

/// The generation that is the name of a directory.
fn unhex(name: &str) -> Option<[u8; 16]> {
    let digits = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let generation = u128::from_str_radix(name, 16).ok()?;
    (name.len() == 32 && name.bytes().all(digits)).then_some(generation.to_be_bytes())
}

/// The interface's index in the name of a link.
fn link_index(name: &str) -> Option<u32> {
    let digits = name.strip_prefix(LINK)?;
    let index = digits.parse().ok()?;
    // One name for each index.
    (digits == format!("{index}")).then_some(index)
}

/// A copy of the control map's element, after all checks that need no other map.
fn read_control(path: &Path, control: BorrowedFd<'_>, generation: [u8; 16]) -> Result<Control, KernelError> {
    /// No version's element is larger, in bytes.
    const LARGEST: u32 = 1 << 16;
    let file = Maps::FILES[0];
    let system = |source| call("bpf(BPF_OBJ_GET_INFO_BY_FD)", &path.join(file))(source);
    // How large it must be is said by its version, which is in it.
    let readable = sys::object(control).map_err(system)? == Object::Map && {
        let known = map_info(control).map_err(system)?;
        let sizes = 16..=LARGEST;
        known.type_ == BPF_MAP_TYPE_ARRAY as u32
            && sizes.contains(&known.value_size)
            && known.max_entries == 1
    };
    if !readable {
        check(path, file, Shape::CONTROL.wrong(control))?;
    }
    let words = array_element(control, 0).map_err(call("bpf(BPF_MAP_LOOKUP_ELEM)", &path.join(file)))?;
    let [magic, version, ..] = words[..] else {
        return Err(wrong(path, format!("`{file}` is too short")));
    };
    if magic != MAGIC {
        return Err(wrong(path, format!("`{file}` does not begin with teiten's mark, but with {magic:#x}")));
    }
    let [a, b, c, d, ..] = version.to_ne_bytes();
    let found = u32::from_ne_bytes([a, b, c, d]);
    if found != VERSION {
        return Err(KernelError::OtherLayout { path: path.to_owned(), found, ours: VERSION });
    }
    check(path, file, Shape::CONTROL.wrong(control))?;
    // SAFETY: the map's values are as large as this, as just checked, and any bit pattern is one.
    let control = unsafe { ptr::read_unaligned(words.as_ptr().cast::<Control>()) };
    if control.generation != generation {
        let found = hex(&control.generation);
        return Err(wrong(path, format!("`{file}` is of another generation, {found}")));
    }
    let Sizes { slices, chunks } = Header::of(&control).sizes;
    if slices == 0 || chunks == 0 {
        return Err(wrong(path, format!("`{file}` tells of {slices} CPUs and {chunks} chunks")));
    }
    Ok(control)
}

/// Opens the program, which must be one of ours that counts in these maps.
fn open_program(path: &Path, maps: &Maps) -> Result<(OwnedFd, u32, Entry), KernelError> {
    let file = path.join(PROGRAM);
    let program = sys::pinned(&file, false).map_err(call(OBJ_GET, &file))?;
    let system = |source| call("bpf(BPF_OBJ_GET_INFO_BY_FD)", &file)(source);
    let kind = sys::object(program.as_fd()).map_err(system)?;
    if kind != Object::Program {
        return Err(wrong(path, format!("`{PROGRAM}` is a {} and no program", kind.as_str())));
    }
    let known = program_info(program.as_fd()).map_err(system)?;
    if known.type_ != BPF_PROG_TYPE_XDP as u32 {
        return Err(wrong(path, format!("`{PROGRAM}` is no XDP program, but of type {}", known.type_)));
    }
    let name: Vec<u8> = known.name.iter().map(|&c| c as u8).take_while(|&c| c != 0).collect();
    let name = String::from_utf8_lossy(&name);
    let entry = Entry::named(&name)
        .ok_or_else(|| wrong(path, format!("`{PROGRAM}` is `{name}`, which is none of teiten's programs")))?;
    let used = program_maps(program.as_fd()).map_err(system)?;
    for (file, map) in Maps::FILES.into_iter().zip(maps.all()) {
        if !used.contains(&map_info(map).map_err(system)?.id) {
            return Err(wrong(path, format!("`{PROGRAM}` does not use the map `{file}`")));
        }
    }
    Ok((program, known.id, entry))
}

/// Opens a pinned link.
fn open_link(path: &Path) -> Result<(OwnedFd, XdpLink), KernelError> {
    let system = |source| call("bpf(BPF_OBJ_GET_INFO_BY_FD)", path)(source);
    let link = sys::pinned(path, false).map_err(call(OBJ_GET, path))?;
    let kind = sys::object(link.as_fd()).map_err(system)?;
    if kind != Object::Link {
        return Err(wrong(path, format!("it is a {} and no link", kind.as_str())));
    }
    match sys::xdp_link(link.as_fd()).map_err(system)? {
        Some(known) => Ok((link, known)),
        None => Err(wrong(path, "it is no link of XDP")),
    }
}

/// The links of a generation, by index.
fn links(path: &Path) -> Result<Vec<PinnedLink>, KernelError> {
    let mut links = Vec::new();
    for name in names(path)? {
        let Some(ifindex) = link_index(&name) else { continue };
        let known = match open_link(&path.join(name)) {
            Ok((_, known)) => known,
            // Moved or removed since: only whoever holds the lock does that.
            Err(KernelError::Call { source, .. }) if source.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let alive = known.ifindex != 0;
        let interface = alive.then(|| interface_name(known.ifindex)).flatten();
        links.push(PinnedLink { ifindex, interface, alive, program: known.program });
    }
    links.sort_by_key(|link| link.ifindex);
    Ok(links)
}

/// The name of an interface, in this thread's network namespace.
fn interface_name(index: u32) -> Option<String> {
    let mut name = [0; libc::IF_NAMESIZE];
    // SAFETY: a buffer of this length, which the call fills with a string that ends with a zero.
    if unsafe { libc::if_indextoname(index, name.as_mut_ptr()) }.is_null() {
        return None;
    }
    // SAFETY: as above.
    Some(unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned())
}

/// The names in a directory, in order.
fn names(path: &Path) -> Result<BTreeSet<String>, KernelError> {
    fs::read_dir(path)
        .and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned())).collect()
        })
        .map_err(call("readdir", path))
}

/// Makes a directory that only its owner may enter.
fn make_directory(path: &Path, may_exist: bool) -> Result<(), KernelError> {
    DirBuilder::new().mode(0o700).recursive(may_exist).create(path).map_err(call("mkdir", path))
}

/// Removes a directory and the files in it.
fn remove_directory(path: &Path) -> Result<(), KernelError> {
    for name in names(path)? {
        let file = path.join(name);
        fs::remove_file(&file).map_err(call("unlink", &file))?;
    }
    fs::remove_dir(path).map_err(call("rmdir", path))
}

fn rename(from: &Path, to: &Path) -> Result<(), KernelError> {
    fs::rename(from, to).map_err(call("rename", from))
}

fn pin(object: BorrowedFd<'_>, path: &Path) -> Result<(), KernelError> {
    sys::pin(object, path).map_err(call("bpf(BPF_OBJ_PIN)", path))
}

fn wrong(path: &Path, wrong: impl Into<String>) -> KernelError {
    KernelError::Pinned { path: path.to_owned(), wrong: wrong.into() }
}

/// The error of a file in whose place something else is.
fn check(path: &Path, file: &str, result: io::Result<Option<String>>) -> Result<(), KernelError> {
    match result.map_err(call("bpf(BPF_OBJ_GET_INFO_BY_FD)", &path.join(file)))? {
        None => Ok(()),
        Some(what) => Err(wrong(path, format!("`{file}` is not what it should be: {what}"))),
    }
}

fn call(call: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KernelError {
    let what = path.display().to_string();
    move |source| match source.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => KernelError::NoPinPrivilege { call, what },
        _ => KernelError::Call { call, what, source },
    }
}

/// Takes the lock on a file, unless another process has it.
fn try_lock(file: &File) -> io::Result<bool> {
    // SAFETY: an open descriptor.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
        return Ok(true);
    }
    match io::Error::last_os_error() {
        error if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        error => Err(error),
    }
}

/// The process that has a lock on a file, if `/proc` tells.
fn holder(file: &fs::Metadata) -> Option<u32> {
    let device = (libc::major(file.dev()), libc::minor(file.dev()));
    holder_in(&fs::read_to_string("/proc/locks").ok()?, device, file.ino())
}

/// The process that has a lock by `flock(2)` on this inode, in a table of the form of `/proc/locks`.
fn holder_in(locks: &str, (major, minor): (u32, u32), inode: u64) -> Option<u32> {
    let wanted = format!("{major:02x}:{minor:02x}:{inode}");
    locks.lines().find_map(|line| {
        // Those that wait for a lock have an arrow in place of its kind.
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words[..] {
            [_, "FLOCK", _, _, pid, file, ..] if file == wanted => pid.parse().ok().filter(|pid| *pid != 0),
            _ => None,
        }
    })
}

/// Mounts the BPF file system at its usual place, if the path is below and nothing is mounted there.
fn mount_below(path: &Path) -> Result<(), KernelError> {
    /// How long another process may take to mount.
    const PATIENCE: Duration = Duration::from_secs(10);
    let mount = Path::new(MOUNT);
    if !path.starts_with(mount) || is_bpf_file_system(mount) {
        return Ok(());
    }
    let above = mount.parent().unwrap_or(mount);
    let guard = File::open(above).map_err(call("open", above))?;
    let start = Instant::now();
    while !try_lock(&guard).map_err(call("flock", above))? {
        if start.elapsed() > PATIENCE {
            return Err(KernelError::PinPath {
                path: path.to_owned(),
                reason: "no BPF file system is mounted at /sys/fs/bpf, and another process holds /sys/fs locked; \
                         mount one yourself (`mount -t bpf bpf /sys/fs/bpf`)",
            });
        }
        thread::sleep(Duration::from_millis(10));
    }
    if is_bpf_file_system(mount) {
        return Ok(());
    }
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).map_err(call("stat", path));
    if device(mount)? != device(above)? {
        return Err(KernelError::PinPath {
            path: path.to_owned(),
            reason: "something that is no BPF file system is mounted at /sys/fs/bpf; unmount it",
        });
    }
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    // SAFETY: strings that end with a zero.
    let mounted = unsafe {
        libc::mount(
            c"bpf".as_ptr(),
            c"/sys/fs/bpf".as_ptr(),
            c"bpf".as_ptr(),
            flags,
            c"mode=0700".as_ptr().cast(),
        )
    };
    if mounted == 0 { Ok(()) } else { Err(call("mount -t bpf", mount)(io::Error::last_os_error())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_generations() {
        let generation = *b"\0\x01teiten of tests";
        let name = hex(generation[..16].try_into().unwrap());
        assert_eq!(name.len(), 32);
        assert_eq!(Name::of(&name), Name::Complete(generation[..16].try_into().unwrap()));
        for suffix in [NEW, OLD] {
            assert_eq!(Name::of(&format!("{name}{suffix}")), Name::Leftover);
        }
        for other in ["", "-new", "teiten", &name[1..], &name.to_uppercase(), &format!("+{}", &name[1..])] {
            assert_eq!(Name::of(other), Name::Other, "{other}");
        }
    }

    #[test]
    fn names_of_links() {
        for (name, index) in [
            ("link-7", Some(7)),
            ("link-4294967295", Some(u32::MAX)),
            ("link-4294967296", None),
            ("link-07", None),
            ("link-+7", None),
            ("link-", None),
            ("link", None),
            ("program", None),
        ] {
            assert_eq!(link_index(name), index, "{name}");
        }
    }

    #[test]
    fn holders_are_found_by_device_and_inode() {
        const LOCKS: &str = "\
1: POSIX  ADVISORY  WRITE 11 00:2e:77 0 EOF
2: FLOCK  ADVISORY  WRITE 22 00:2e:77 0 EOF
2: -> FLOCK  ADVISORY  WRITE 33 00:2e:77 0 EOF
3: FLOCK  ADVISORY  READ  44 103:01:78 0 EOF
4: FLOCK  ADVISORY  WRITE 0 00:2e:79 0 EOF
";
        assert_eq!(holder_in(LOCKS, (0, 0x2e), 77), Some(22));
        assert_eq!(holder_in(LOCKS, (0x103, 1), 78), Some(44));
        assert_eq!(holder_in(LOCKS, (0, 0x2e), 79), None);
        assert_eq!(holder_in(LOCKS, (0, 0x2f), 77), None);
        assert_eq!(holder_in("", (0, 0x2e), 77), None);
    }
}
