//! The modules of a crate as its sources have them, and which of them each names.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Item, UseTree, Visibility,
    visit::{self, Visit},
};

/// A file's path in the crate, such as `["session", "pace"]`; the root's is empty.
pub(crate) type Module = Vec<String>;

/// A path as it stands in the text.
type Segments = Vec<String>;

/// The sources of a crate.
#[derive(Clone)]
pub(crate) struct Crate {
    files: BTreeMap<Module, File>,
}

/// What a file defines, and what it names.
#[derive(Clone, Default)]
struct File {
    items: BTreeSet<String>,
    /// What `use` brings in: the name here, and the path it stands for.
    imports: HashMap<String, Segments>,
    named: BTreeSet<Segments>,
}

impl Crate {
    /// Reads the file of the root, and all that it and they declare as modules.
    pub(crate) fn read(root: &Path) -> Self {
        let mut sources = Self { files: BTreeMap::new() };
        sources.read_file(root, &[], &root.with_file_name(""));
        sources
    }

    fn read_file(&mut self, path: &Path, module: &[String], folder: &Path) {
        let text = fs::read_to_string(path).unwrap();
        for child in self.add_file(module, &text) {
            let beside: PathBuf = folder.join(format!("{child}.rs"));
            self.read_file(&beside, &[module, std::slice::from_ref(&child)].concat(), &folder.join(&child));
        }
    }

    /// Adds a file to the module, and returns the modules that it declares in files of their own.
    pub(crate) fn add_file(&mut self, module: &[String], text: &str) -> Vec<String> {
        let parsed = syn::parse_file(text).unwrap();
        let mut reader = Reader {
            file: File::default(),
            module: module.to_vec(),
            inner: 0,
            children: Vec::new(),
            exported: HashMap::new(),
        };
        reader.children = parsed.items.iter().filter_map(child).collect();
        // Imports first, since what comes before them may use them.
        let (imports, rest): (Vec<_>, Vec<_>) = parsed.items.into_iter().partition(|item| matches!(item, Item::Use(_)));
        reader.items(&imports);
        reader.items(&rest);
        let file = self.files.entry(module.to_vec()).or_default();
        file.items.extend(reader.file.items);
        file.imports.extend(reader.file.imports);
        file.named.extend(reader.file.named);
        reader.children
    }

    pub(crate) fn modules(&self) -> impl Iterator<Item = &Module> {
        self.files.keys()
    }

    /// Which file names something that is in which other one.
    pub(crate) fn arrows(&self) -> BTreeSet<(Module, Module)> {
        let mut arrows = BTreeSet::new();
        for (module, file) in &self.files {
            for path in &file.named {
                let target = self.resolve(path, 0);
                if target != *module {
                    arrows.insert((module.clone(), target));
                }
            }
        }
        arrows
    }

    /// The file in which the path, from the root on, ends, through what others export again.
    fn resolve(&self, path: &[String], depth: usize) -> Module {
        let mut module = Module::new();
        for (index, segment) in path.iter().enumerate() {
            let child = [module.as_slice(), std::slice::from_ref(segment)].concat();
            if self.files.contains_key(&child) {
                module = child;
                continue;
            }
            let Some(file) = self.files.get(&module) else { break };
            if !file.items.contains(segment) && depth < 8 {
                if let Some(import) = file.imports.get(segment) {
                    return self.resolve(&[import.as_slice(), &path[index + 1..]].concat(), depth + 1);
                }
            }
            break;
        }
        module
    }
}

struct Reader {
    file: File,
    module: Module,
    /// How many modules without a file of their own are around what is read.
    inner: usize,
    children: Vec<String>,
    /// What is exported again under which name, and so may be used here without a path.
    exported: HashMap<String, Segments>,
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text = attribute.meta.require_list().map(|list| list.tokens.to_string()).unwrap_or_default();
        attribute.path().is_ident("cfg") && (text == "test" || text.starts_with("all (doctest"))
    })
}

/// The name of a module in a file of its own.
fn child(item: &Item) -> Option<String> {
    match item {
        Item::Mod(item) if item.content.is_none() && !is_test(&item.attrs) => Some(item.ident.to_string()),
        _ => None,
    }
}

impl Reader {
    fn items(&mut self, items: &[Item]) {
        for item in items {
            self.item(item);
        }
    }

    fn item(&mut self, item: &Item) {
        let name = match item {
            Item::Const(item) => Some(&item.ident),
            Item::Enum(item) => Some(&item.ident),
            Item::Fn(item) => Some(&item.sig.ident),
            Item::Macro(item) => item.ident.as_ref(),
            Item::Static(item) => Some(&item.ident),
            Item::Struct(item) => Some(&item.ident),
            Item::Trait(item) => Some(&item.ident),
            Item::Type(item) => Some(&item.ident),
            Item::Mod(item) => {
                if let Some((_, items)) = item.content.as_ref().filter(|_| !is_test(&item.attrs)) {
                    self.inner += 1;
                    self.items(items);
                    self.inner -= 1;
                }
                return;
            }
            Item::Use(item) => {
                // What is exported again is named by those who use it.
                let names = matches!(item.vis, Visibility::Inherited);
                self.tree(&item.tree, &mut Vec::new(), names);
                return;
            }
            _ => None,
        };
        if let Some(name) = name {
            self.file.items.insert(name.to_string());
        }
        self.visit_item(item);
    }

    fn tree(&mut self, tree: &UseTree, path: &mut Segments, names: bool) {
        match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.tree(&part.tree, path, names);
                path.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(tree, path, names);
                }
            }
            UseTree::Name(name) => self.import(path, &name.ident.to_string(), &name.ident.to_string(), names),
            UseTree::Rename(rename) => self.import(path, &rename.ident.to_string(), &rename.rename.to_string(), names),
            UseTree::Glob(_) => self.name(path),
        }
    }

    fn import(&mut self, path: &Segments, name: &str, here: &str, names: bool) {
        let whole = if name == "self" { path.clone() } else { [path.as_slice(), &[name.to_owned()]].concat() };
        let here = if here == "self" { path.last().cloned().unwrap_or_default() } else { here.to_owned() };
        if let Some(absolute) = self.absolute(&whole) {
            self.file.imports.insert(here.clone(), absolute);
        }
        if names {
            self.name(&whole);
        } else if let Some(absolute) = self.absolute(&whole) {
            self.exported.insert(here, absolute);
        }
    }

    /// The path from the root on, where it is one of this crate's.
    fn absolute(&self, path: &[String]) -> Option<Segments> {
        let mut rest = path;
        let mut up = 0;
        let base = match rest.first()?.as_str() {
            "crate" => {
                rest = &rest[1..];
                return Some(rest.to_vec());
            }
            "self" => {
                rest = &rest[1..];
                self.module.clone()
            }
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    rest = &rest[1..];
                    up += 1;
                }
                // What is around without a file is this file still.
                let up = usize::saturating_sub(up, self.inner);
                self.module[..self.module.len() - up].to_vec()
            }
            // A module that this file declares.
            first if self.children.iter().any(|child| child == first) => self.module.clone(),
            _ => return None,
        };
        Some([base.as_slice(), rest].concat())
    }

    fn name(&mut self, path: &[String]) {
        if let Some(absolute) = self.absolute(path) {
            self.file.named.insert(absolute);
        }
    }

    /// Paths in what a macro is given.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path = Segments::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.name(&std::mem::take(&mut path));
                    }
                    path.push(ident.to_string());
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Group(group) => self.tokens(group.stream()),
                _ => {}
            }
            self.name(&std::mem::take(&mut path));
            colons = 0;
        }
        self.name(&path);
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Segments = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let Some(exported) = segments.first().and_then(|first| self.exported.get(first)) {
            self.file.named.insert(exported.clone());
        }
        self.name(&segments);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }

    /// `pub(super)` says who may look, and names nothing.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&item.tree, &mut Vec::new(), true);
    }
}
