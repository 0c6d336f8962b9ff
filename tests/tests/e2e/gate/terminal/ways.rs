//! The ways in which another user becomes alice on a terminal that is not hers.

/// The user whose terminal it is, and what shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typist {
    Root,
    RootInTmux,
    Bob,
}

/// A way in.
#[derive(Debug)]
pub struct Way {
    pub name: String,
    /// the line that is typed; alice's program stands where it has COMMAND, else the line starts
    /// a shell of hers
    pub line: String,
    pub typist: Typist,
    /// whether it runs the login shell
    pub login_shell: bool,
    /// whether the terminal stays the controlling one, without the product
    pub tty: bool,
    /// whether any of the descriptors 0 to 2 is the terminal, without the product
    pub descriptors: bool,
}

impl Way {
    /// One that runs the login shell and leaves it all of the terminal.
    fn new(name: &str, line: &str) -> Self {
        Self {
            name: name.to_owned(),
            line: line.to_owned(),
            typist: Typist::Root,
            login_shell: true,
            tty: true,
            descriptors: true,
        }
    }

    fn by(self, typist: Typist) -> Self {
        Self { typist, ..self }
    }

    /// It runs another program than the login shell: root may choose.
    fn without_login_shell(self) -> Self {
        Self {
            login_shell: false,
            ..self
        }
    }

    fn without_descriptors(self) -> Self {
        Self {
            descriptors: false,
            ..self
        }
    }

    /// It calls setsid(2) itself.
    fn without_tty(self) -> Self {
        Self { tty: false, ..self }
    }

    pub fn starts_a_shell(&self) -> bool {
        !self.line.contains("COMMAND")
    }
}

pub fn ways() -> Vec<Way> {
    let mut ways = vec![
        Way::new("su", "su alice"),
        Way::new("su in tmux", "su alice").by(Typist::RootInTmux),
        Way::new("su by bob", "su alice").by(Typist::Bob),
        Way::new("su -l", "su -l alice"),
        Way::new("su -m", "su -m alice").without_login_shell(),
        Way::new("su -s", "su -s /bin/bash alice").without_login_shell(),
        Way::new("sudo su -", "sudo -n su - alice"),
        Way::new("sudo -u", "sudo -n -u alice COMMAND").without_login_shell(),
        Way::new("runuser -l", "runuser -l alice"),
        Way::new("runuser -u", "runuser -u alice -- COMMAND").without_login_shell(),
        Way::new(
            "su --session-command",
            "su --session-command 'COMMAND' alice",
        ),
        Way::new(
            "su --session-command < > 2>",
            "su --session-command 'COMMAND' alice </dev/null >/dev/null 2>&1",
        )
        .without_descriptors(),
        // The remedy where nsshell is not in the way.
        Way::new("su -P", "su -P alice")
            .without_tty()
            .without_descriptors(),
        Way::new("su -P -s", "su -P -s /bin/bash alice")
            .without_login_shell()
            .without_tty()
            .without_descriptors(),
    ];
    ways.extend((0..8).map(redirected));
    ways
}

/// `su -c` with some of the descriptors redirected: bit N is descriptor N.
fn redirected(bits: u32) -> Way {
    let redirections: Vec<&str> = ["</dev/null", ">/dev/null", "2>/dev/null"]
        .into_iter()
        .enumerate()
        .filter(|(descriptor, _)| bits & (1 << descriptor) != 0)
        .map(|(_, redirection)| redirection)
        .collect();
    let words = redirections.join(" ");
    let signs = words.replace("/dev/null", "");
    let way = Way::new(
        format!("su -c {signs}").trim_end(),
        &format!("su alice -c 'COMMAND' {words}"),
    );
    // su(1) calls setsid(2) for a command.
    let way = way.without_tty();
    match bits {
        7 => way.without_descriptors(),
        _ => way,
    }
}
