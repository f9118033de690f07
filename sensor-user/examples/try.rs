use teiten::kernel::*;
fn main() {
    let settings = program::Settings { watched: vec![], drop: false, v4_prefix: 32, v6_prefix: 64,
        sizes: program::Sizes::fit(program::cpus().unwrap(), 64<<20, u64::MAX).unwrap() };
    for entry in [program::Entry::Linear, program::Entry::Fragments] {
        let (program, mut banks) = match program::load_entry(program::OBJECT, entry, &settings) { Ok(x) => x, Err(e) => { let mut s = format!("{e}"); let mut c: Option<&dyn std::error::Error> = std::error::Error::source(&e); while let Some(x) = c { s += &format!("\n: {x}"); c = x.source(); } println!("{}", &s[s.len().saturating_sub(6000)..]); continue } };
        let mut f = vec![0u8; 60];
        f[12] = 8; f[14] = 0x45; f[17] = 40; f[23] = 6; f[26] = 1; f[30] = 2; f[37]=23; f[47] = 2;
        f[36]=0;
        let mut r = testrun::Runner::new(&program);
        let t = std::time::Instant::now();
        let n = 300_000u32;
        for i in 0..n { f[26..30].copy_from_slice(&(0x01000000 + i).to_be_bytes()); r.run(&f).unwrap(); }
        println!("{entry:?} {} ns/frame", t.elapsed().as_nanos() / n as u128);
        for l in 0..14 { println!("{l} {:?}", r.run(&f[..l])); }
        let t = std::time::Instant::now();
        let d = banks.drain().unwrap();
        println!("{:?} {} tallies {} spilled, lost {} {:?} mism {:?} {:?}", d.outcomes, d.tallies.len(), d.spilled, d.lost, d.kinds[0], d.mismatches, t.elapsed());
        let t = std::time::Instant::now();
        let d = banks.drain().unwrap();
        println!("{:?} {} {:?}", d.outcomes, d.tallies.len(), t.elapsed());
    }
}
