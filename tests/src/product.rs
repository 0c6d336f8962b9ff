use std::path::{Path, PathBuf};

use crate::spec::Copy;

/// Where the built product lies on the machine, and where a host wants it.
#[derive(Debug, Clone)]
pub struct Product {
    dir: PathBuf,
}

impl Product {
    /// The product in `NSSHELL_BUILD`, else in the release directory of the target directory
    /// that this program was built in.
    ///
    /// # Errors
    /// The sentence that names the missing file and the remedy.
    pub fn find() -> Result<Self, String> {
        let dir = match std::env::var_os("NSSHELL_BUILD") {
            Some(dir) => PathBuf::from(dir),
            None => target_dir()?.join("release"),
        };
        let product = Self { dir };
        match product.copies().iter().find(|copy| !copy.from.is_file()) {
            Some(copy) => Err(format!(
                "{} is missing; build the product with `make build`, or name its directory in NSSHELL_BUILD",
                copy.from.display()
            )),
            None => Ok(product),
        }
    }

    /// What goes where in the host.
    #[must_use]
    pub fn copies(&self) -> Vec<Copy> {
        let module = module_dir().join("pam_nsshell.so");
        [
            ("libpam_nsshell.so", module, 0o644),
            (
                "session-init",
                "/usr/libexec/nsshell/session-init".into(),
                0o755,
            ),
            ("relay", "/usr/libexec/nsshell/relay".into(), 0o711),
            (
                "standalone",
                "/usr/libexec/nsshell/standalone".into(),
                0o755,
            ),
            ("nsshell", "/usr/bin/nsshell".into(), 0o711),
            ("nsctl", "/usr/sbin/nsctl".into(), 0o755),
        ]
        .map(|(name, to, mode)| Copy {
            from: self.dir.join(name),
            to,
            mode,
        })
        .into_iter()
        .chain([self.kiosk()])
        .collect()
    }

    /// The program of the profile "kiosk", which is no product of the build.
    fn kiosk(&self) -> Copy {
        Copy {
            from: concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/kiosk").into(),
            to: "/usr/lib/nsshell/kiosk".into(),
            mode: 0o755,
        }
    }
}

/// The directory of the PAM modules: where pam_unix.so lies.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn module_dir() -> PathBuf {
    let multiarch = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path());
    ["/usr/lib64", "/lib64", "/usr/lib", "/lib"]
        .map(PathBuf::from)
        .into_iter()
        .chain(multiarch)
        .map(|dir| dir.join("security"))
        .find(|dir| dir.join("pam_unix.so").is_file())
        .expect("no pam_unix.so under /usr/lib or /lib64; install PAM")
}

/// The target directory that this program was built in: the test binaries lie in
/// PROFILE/deps, the programs in PROFILE.
fn target_dir() -> Result<PathBuf, String> {
    let profile = profile_dir()?;
    profile
        .parent()
        .map(Path::to_path_buf)
        .ok_or_else(|| format!("{} has no parent", profile.display()))
}

fn profile_dir() -> Result<PathBuf, String> {
    let exe =
        std::env::current_exe().map_err(|e| format!("cannot find this program's own path: {e}"))?;
    let dir = exe
        .parent()
        .ok_or_else(|| format!("{} has no parent", exe.display()))?;
    let deps = dir.file_name().is_some_and(|name| name == "deps");
    Ok(if deps {
        dir.parent().unwrap_or(dir)
    } else {
        dir
    }
    .to_path_buf())
}

/// The path of a program of this crate.
///
/// # Panics
/// If it was not built.
#[must_use]
pub fn own_program(name: &str) -> PathBuf {
    let path = profile_dir().expect("the build directory").join(name);
    assert!(
        path.is_file(),
        "{} is missing; build it with `cargo build -p nsshell-tests`",
        path.display()
    );
    path
}
