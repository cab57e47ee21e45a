//! The gateway's pure half, from the program's own files: a program has no library that could be depended on.

#[path = "../../cli/src/gateway/answers.rs"]
pub(crate) mod answers;
#[path = "../../cli/src/gateway/caller.rs"]
pub(crate) mod caller;
#[path = "../../cli/src/gateway/decision.rs"]
pub(crate) mod decision;
#[path = "../../cli/src/gateway/headers.rs"]
pub(crate) mod headers;
#[path = "../../cli/src/gateway/page.rs"]
pub(crate) mod page;
#[path = "../../cli/src/gateway/permission.rs"]
pub(crate) mod permission;
#[path = "../../cli/src/gateway/refusal.rs"]
pub(crate) mod refusal;
#[path = "../../cli/src/gateway/resource.rs"]
pub(crate) mod resource;
#[path = "../../cli/src/gateway/standing.rs"]
pub(crate) mod standing;
