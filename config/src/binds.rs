//! `binds`: files and directories of the host at a place of the session.

use crate::diagnostic::Faults;
use crate::entry;
use crate::profile::Profile;
use crate::source::{At, Place};
use crate::template::{About, Check, Template, Values};
use crate::tree::{Node, Value};
use crate::{Attributes, BindIds, Error, Mount, Namespace, Propagation, path, shape};

/// The keys of an entry of `binds`.
pub const BIND_KEYS: &[&str] = &[
    "source",
    "target",
    "options",
    "recursive",
    "propagation",
    "ids",
    "optional",
];

/// The words of `options`.
pub const BIND_OPTIONS: &[(&str, Attribute)] = &[
    ("ro", |to| &mut to.read_only),
    ("nosuid", |to| &mut to.no_suid),
    ("nodev", |to| &mut to.no_dev),
    ("noexec", |to| &mut to.no_exec),
];

/// Where an attribute is kept.
pub type Attribute = fn(&mut Attributes) -> &mut bool;

const PROPAGATION: &[(&str, Propagation)] = &[
    ("private", Propagation::Private),
    ("slave", Propagation::Slave),
    ("shared", Propagation::Shared),
];

const IDS: &[(&str, BindIds)] = &[("session", BindIds::Session), ("owner", BindIds::Owner)];

/// An entry of `binds`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) source: Template,
    pub(crate) target: Template,
    pub(crate) attributes: Attributes,
    recursive: bool,
    propagation: Propagation,
    pub(crate) ids: Option<BindIds>,
    pub(crate) optional: bool,
    pub(crate) place: Place,
}

/// Reads `binds`.
pub(crate) fn read(node: &Node<'_>, faults: &mut Faults) -> Option<At<Vec<Bind>>> {
    let list = entry::short("binds", node, faults)?;
    let found = list.value.iter().filter_map(|one| bind(one, faults));
    let found: Vec<Bind> = found.collect();
    Some(At {
        value: found,
        place: list.place,
    })
}

fn template(node: &Node<'_>, check: Check, faults: &mut Faults) -> Option<Template> {
    let text = shape::text(node, faults)?;
    match Template::path(text.value, About::Path, check) {
        Ok(template) => Some(template),
        Err(why) => {
            faults.error(text.place, why);
            None
        }
    }
}

/// `"/srv/data"` or `{ source = "/srv/data", target = "/data", options = ["ro"] }`.
fn bind(node: &Node<'_>, faults: &mut Faults) -> Option<Bind> {
    let bound = |source, target| Bind {
        source,
        target,
        attributes: Attributes::default(),
        recursive: true,
        propagation: Propagation::default(),
        ids: None,
        optional: false,
        place: node.place,
    };
    let entries = match &node.value {
        Value::Text(_) => {
            let source = template(node, path::bind_source, faults)?;
            // onto itself, so that it has to be right for both
            let target = template(node, path::bind_target, faults)?;
            return Some(bound(source, target));
        }
        Value::Table(entries) => entries,
        _ => {
            let like = "a path like \"/srv/x\" or { source = \"/srv/x\", target = \"/x\" }";
            shape::wrong(node, like, faults);
            return None;
        }
    };
    let (mut source, mut target) = (None, None);
    let (mut source_node, mut has_target) = (None, false);
    let mut propagation = None;
    let mut rest = bound(Template::default(), Template::default());
    for (key, value) in shape::known(entries, BIND_KEYS, "`binds`", faults) {
        match key {
            "source" => {
                source_node = Some(value);
                source = template(value, path::bind_source, faults);
            }
            "target" => {
                has_target = true;
                target = template(value, path::bind_target, faults);
            }
            "options" => rest.attributes = options(value, faults),
            "recursive" => {
                rest.recursive = shape::truth(value, faults).is_none_or(|set| set.value);
            }
            "propagation" => {
                propagation = shape::word(value, PROPAGATION, faults).map(|set| set.value);
            }
            "ids" => rest.ids = shape::word(value, IDS, faults).map(|set| set.value),
            _ => rest.optional = shape::truth(value, faults).is_some_and(|set| set.value),
        }
    }
    // What the host mounts beneath later has neither the options nor the ids.
    let sealed = rest.attributes.any() || rest.ids.is_some();
    rest.propagation = propagation.unwrap_or(match sealed {
        true => Propagation::Private,
        false => Propagation::default(),
    });
    match source_node {
        None => {
            faults.error(node.place, "missing key `source` in `binds`");
        }
        Some(node) if !has_target && source.is_some() => {
            target = template(node, path::bind_target, faults);
        }
        Some(_) => {}
    }
    Some(Bind {
        source: source?,
        target: target?,
        ..rest
    })
}

fn options(node: &Node<'_>, faults: &mut Faults) -> Attributes {
    let mut attributes = Attributes::default();
    let Some(list) = shape::list(node, faults) else {
        return attributes;
    };
    for one in list.value {
        if let Value::Text(text) = &one.value
            && text == "rw"
        {
            let what = "`rw` is no option: a bind can be written to unless it has `ro`";
            faults.error(one.place, what).help("take it out");
            continue;
        }
        let Some(option) = shape::word(one, BIND_OPTIONS, faults) else {
            continue;
        };
        let flag = (option.value)(&mut attributes);
        if *flag {
            faults.error(one.place, "this option is listed twice");
        }
        *flag = true;
    }
    attributes
}

/// The binds for one login, in the order of the policy.
///
/// # Errors
/// The host does not answer, or a template gives a path that cannot be bound.
pub(crate) fn mounts(
    name: &str,
    profile: &Profile,
    values: &Values<'_>,
) -> Result<Vec<Mount>, Error> {
    let mut mounts = Vec::with_capacity(profile.binds.len());
    let shell = &profile.shell;
    // a stronger file may have taken the namespace away from those who want its ids
    let can_have = |ids: &BindIds| *ids == BindIds::Owner || profile.has(Namespace::User);
    for bind in &profile.binds {
        let refused = |why| Error::View {
            profile: name.to_owned(),
            key: "binds",
            why,
        };
        let source = bind.source.fill_path(values, path::bind_source)?;
        let target = bind.target.fill_path(values, path::bind_target)?;
        let (source, target) = (source.map_err(refused)?, target.map_err(refused)?);
        if bind.target.fixed().is_none() && source != target && shell.starts_with(&target) {
            let (target, shell) = (target.display(), shell.display());
            return Err(refused(format!("{target} would hide the shell {shell}")));
        }
        mounts.push(Mount::Bind {
            source,
            target,
            attributes: bind.attributes,
            recursive: bind.recursive,
            propagation: bind.propagation,
            ids: bind.ids.filter(can_have),
            optional: bind.optional,
        });
    }
    Ok(mounts)
}
