//! The one table of operations. The router and the OpenAPI document are both made from it, so that
//! neither can have what the other lacks.

use axum::{
    Router,
    middleware::from_fn_with_state,
    routing::{MethodFilter, MethodRouter, on},
};
use domain::Right;
use utoipa::{
    Path,
    openapi::{
        RefOr,
        path::{HttpMethod, Operation as Described},
        schema::Schema,
    },
};

use crate::{Api, Code, edge, operations};

/// A schema with its name.
pub(crate) type NamedSchema = (String, RefOr<Schema>);

/// One operation.
pub(crate) struct Operation {
    /// Its method.
    pub(crate) method: HttpMethod,
    /// Its path.
    pub(crate) path: String,
    /// The group that it is in.
    pub(crate) tag: &'static str,
    /// What the document says of it.
    pub(crate) described: Described,
    /// The schemas that it speaks of.
    pub(crate) schemas: Vec<NamedSchema>,
    /// What can go wrong with it, beside what can go wrong with each.
    pub(crate) codes: &'static [Code],
    /// What a key must be allowed to do; the use case checks it.
    pub(crate) needs: Right,
    /// Whether a body flows for as long as it takes, so that only its standing still is timed.
    pub(crate) streams: bool,
    route: MethodRouter<Api>,
}

macro_rules! operation {
    ($handler:ident, $path:ident, [$($code:ident),*]) => {
        operation!($handler, $path, [$($code),*], streams: false)
    };
    ($handler:ident, $path:ident, [$($code:ident),*], streams: $streams:literal) => {{
        let method = method_of::<operations::$path>();
        let mut schemas = Vec::new();
        <operations::$path as utoipa::__dev::SchemaReferences>::schemas(&mut schemas);
        Operation {
            route: on(filter(&method), operations::$handler),
            method,
            path: operations::$path::path(),
            tag: <operations::$path as utoipa::__dev::Tags>::tags().into_iter().next().unwrap_or_default(),
            described: operations::$path::operation(),
            schemas,
            codes: &[$(Code::$code),*],
            needs: Right::Read,
            streams: $streams,
        }
    }};
}

/// Every operation under `/api`.
pub(crate) fn table() -> Vec<Operation> {
    let mut table = of_templates();
    table.extend(of_checklists());
    table.extend(of_tasks());
    table.extend(of_assignments());
    table.extend(of_people());
    let of_webhooks = [
        of_subscriptions(),
        of_webhooks(),
        of_secrets(),
        of_replays(),
    ];
    let of_webhooks = of_webhooks.into_iter().flatten();
    table.extend(of_webhooks.map(|operation| operation.needs(Right::Webhooks)));
    table.push(operation!(erase, __path_erase, [ChecklistMissing]).needs(Right::Admin));
    table.extend(of_keys().map(|operation| operation.needs(Right::Admin)));
    table
}

impl Operation {
    fn needs(self, right: Right) -> Self {
        Self {
            needs: right,
            ..self
        }
    }
}

fn of_keys() -> impl Iterator<Item = Operation> {
    [
        operation!(make_key, __path_make_key, [TeamFull]),
        operation!(list_keys, __path_list_keys, []),
        operation!(revoke_key, __path_revoke_key, [ApiKeyMissing]),
        operation!(read_audit, __path_read_audit, []),
    ]
    .into_iter()
}

fn of_assignments() -> Vec<Operation> {
    let of = operation!(list_assignments, __path_list_assignments, []);
    let changes = [
        operation!(
            set_assignees,
            __path_set_assignees,
            [
                TaskMissing,
                RoleInsufficient,
                TaskIsHeading,
                ChecklistArchived
            ]
        ),
        operation!(
            clear_assignees,
            __path_clear_assignees,
            [
                TaskMissing,
                RoleInsufficient,
                TaskIsHeading,
                ChecklistArchived
            ]
        ),
        operation!(
            assign_by_name,
            __path_assign_by_name,
            [
                TaskMissing,
                RoleInsufficient,
                TaskIsHeading,
                ChecklistArchived
            ]
        ),
    ];
    let changes = changes.map(|operation| operation.needs(Right::Run));
    std::iter::once(of).chain(changes).collect()
}

fn of_people() -> Vec<Operation> {
    vec![
        operation!(list_people, __path_list_people, [NothingFound]),
        operation!(list_members, __path_list_members, [NothingFound]),
        operation!(list_groups, __path_list_groups, [NothingFound]),
        operation!(get_member, __path_get_member, [MemberMissing]),
        operation!(add_member, __path_add_member, [EmailTaken, TeamFull]).needs(Right::Admin),
        operation!(
            change_member,
            __path_change_member,
            [MemberMissing, EmailTaken, LastAdministrator]
        )
        .needs(Right::Admin),
        operation!(
            deactivate_member,
            __path_deactivate_member,
            [MemberMissing, LastAdministrator]
        )
        .needs(Right::Admin),
        operation!(get_group, __path_get_group, [GroupMissing]),
        operation!(make_group, __path_make_group, [GroupNameTaken, TeamFull]).needs(Right::Admin),
        operation!(
            change_group,
            __path_change_group,
            [GroupMissing, GroupNameTaken]
        )
        .needs(Right::Admin),
        operation!(remove_group, __path_remove_group, [GroupMissing]).needs(Right::Admin),
    ]
}

fn of_templates() -> Vec<Operation> {
    vec![
        operation!(validate, __path_validate, []),
        operation!(
            put_template,
            __path_put_template,
            [TemplateMissing, TeamFull]
        )
        .needs(Right::Templates),
        operation!(get_template, __path_get_template, [TemplateMissing]),
        operation!(list_templates, __path_list_templates, [NothingFound]),
        operation!(
            list_template_tasks,
            __path_list_template_tasks,
            [TemplateMissing, NothingFound]
        ),
        operation!(
            list_template_controls,
            __path_list_template_controls,
            [TaskMissing, NothingFound]
        ),
    ]
}

fn of_checklists() -> Vec<Operation> {
    vec![
        operation!(
            create_checklist,
            __path_create_checklist,
            [TemplateMissing, RoleInsufficient]
        )
        .needs(Right::Run),
        operation!(
            create_with_parameters,
            __path_create_with_parameters,
            [TemplateMissing, RoleInsufficient]
        )
        .needs(Right::Run),
        operation!(
            find_checklists,
            __path_find_checklists,
            [TemplateMissing, NothingFound, RoleInsufficient]
        ),
        operation!(
            checklist_details,
            __path_checklist_details,
            [TemplateMissing, NothingFound]
        ),
        operation!(list_tasks, __path_list_tasks, [NothingFound]),
        operation!(list_files, __path_list_files, [NothingFound]),
        operation!(
            download,
            __path_download,
            [FileMissing, RangeNotSatisfiable, FilesUnavailable]
        ),
    ]
}

fn of_tasks() -> Vec<Operation> {
    vec![
        operation!(
            task_details,
            __path_task_details,
            [ChecklistMissing, TaskMissing]
        ),
        operation!(
            set_status,
            __path_set_status,
            [
                TaskMissing,
                RoleInsufficient,
                AssignedExclusively,
                TaskHalted,
                Hidden,
                TaskIsHeading,
                ChecklistArchived,
                ControlsUnsatisfied
            ]
        )
        .needs(Right::Run),
        operation!(
            set_due,
            __path_set_due,
            [TaskMissing, RoleInsufficient, Hidden, TaskIsHeading, ChecklistArchived]
        )
        .needs(Right::Run),
        operation!(
            clear_due,
            __path_clear_due,
            [TaskMissing, RoleInsufficient, Hidden, TaskIsHeading, ChecklistArchived]
        )
        .needs(Right::Run),
        operation!(
            set_field,
            __path_set_field,
            [
                ControlMissing,
                RoleInsufficient,
                TaskHalted,
                Hidden,
                TaskDone,
                ChecklistArchived,
                ValueRefused
            ]
        )
        .needs(Right::Run),
        operation!(upload, __path_upload, [MalformedMultipart, UploadInterrupted, ControlMissing, RoleInsufficient, TaskHalted, Hidden, TaskDone, ChecklistArchived, FilesFull, NotAnUpload, BodyTooLarge, FileTooLarge, RequestTimeout, MediaTypeUnsupported, FilesUnavailable, Overloaded], streams: true).needs(Right::Run),
    ]
}

fn of_secrets() -> Vec<Operation> {
    vec![
        operation!(list_secrets, __path_list_secrets, [SubscriptionMissing]),
        operation!(
            roll_secret,
            __path_roll_secret,
            [
                SubscriptionMissing,
                SubscriptionGone,
                SubscriptionUnreadable,
                SecretsFull
            ]
        ),
        operation!(
            revoke_secret,
            __path_revoke_secret,
            [
                SubscriptionMissing,
                SubscriptionGone,
                SubscriptionUnreadable,
                SecretMissing,
                SecretInUse
            ]
        ),
    ]
}

fn of_subscriptions() -> Vec<Operation> {
    vec![
        operation!(
            list_subscriptions,
            __path_list_subscriptions,
            [NothingFound]
        ),
        operation!(
            subscribe,
            __path_subscribe,
            [
                ScopeInvalid,
                TargetRefused,
                TargetNotProven,
                ProofsUnderWay,
                SubscriptionChanged,
                TeamFull
            ]
        ),
        operation!(
            get_subscription,
            __path_get_subscription,
            [SubscriptionMissing]
        ),
        operation!(
            change_subscription,
            __path_change_subscription,
            [
                SubscriptionMissing,
                SubscriptionGone,
                SubscriptionSame,
                SubscriptionUnreadable,
                SecretsFull,
                TargetRefused,
                TargetNotProven,
                ProofsUnderWay,
                SubscriptionChanged
            ]
        ),
        operation!(
            prove,
            __path_prove,
            [
                SubscriptionMissing,
                SubscriptionGone,
                SubscriptionUnreadable,
                NothingToProve,
                TargetNotProven,
                ProofsUnderWay,
                SubscriptionChanged
            ]
        ),
        operation!(pause, __path_pause, [SubscriptionMissing, SubscriptionGone]),
        operation!(
            resume,
            __path_resume,
            [SubscriptionMissing, SubscriptionGone]
        ),
        operation!(unsubscribe, __path_unsubscribe, [SubscriptionMissing]),
    ]
}

fn of_webhooks() -> Vec<Operation> {
    vec![
        operation!(
            explain_target,
            __path_explain_target,
            [SubscriptionUnreadable]
        ),
        operation!(
            test_subscription,
            __path_test_subscription,
            [
                SubscriptionMissing,
                SubscriptionNotSending,
                SubscriptionUnreadable,
                NothingToSample
            ]
        ),
        operation!(list_event_types, __path_list_event_types, []),
        operation!(
            read_feed,
            __path_read_feed,
            [SubscriptionMissing, SubscriptionUnreadable]
        ),
        operation!(list_deliveries, __path_list_deliveries, []),
        operation!(get_delivery, __path_get_delivery, [DeliveryMissing]),
        operation!(
            redeliver,
            __path_redeliver,
            [
                DeliveryMissing,
                DeliveryBeingSent,
                SubscriptionNotSending,
                DeliveryBodyGone
            ]
        ),
        operation!(
            cancel_delivery,
            __path_cancel_delivery,
            [DeliveryMissing, DeliverySettled]
        ),
        operation!(list_events, __path_list_events, []),
        operation!(get_event, __path_get_event, [EventMissing]),
        operation!(get_health, __path_get_health, [SubscriptionMissing]),
        operation!(list_notices, __path_list_notices, []),
        operation!(see_notices, __path_see_notices, []),
    ]
}

fn of_replays() -> Vec<Operation> {
    vec![
        operation!(
            make_replay,
            __path_make_replay,
            [SubscriptionMissing, SubscriptionNotSending, TeamFull]
        ),
        operation!(get_replay, __path_get_replay, [RedeliveryJobMissing]),
        operation!(
            cancel_replay,
            __path_cancel_replay,
            [RedeliveryJobMissing, RedeliveryJobEnded]
        ),
        operation!(
            pause_replay,
            __path_pause_replay,
            [RedeliveryJobMissing, RedeliveryJobEnded]
        ),
        operation!(
            resume_replay,
            __path_resume_replay,
            [RedeliveryJobMissing, RedeliveryJobEnded]
        ),
        operation!(list_replays, __path_list_replays, []),
    ]
}

/// The router of the operations.
pub(crate) fn router(api: &Api) -> Router<Api> {
    let mut router = Router::new();
    for operation in table() {
        let mut route = operation.route;
        if !operation.streams {
            route = route.route_layer(from_fn_with_state(api.clone(), edge::timed));
        }
        let proof = (api.clone(), operation.needs);
        let route = route.route_layer(from_fn_with_state(proof, edge::proof));
        router = router.route(&operation.path, route);
    }
    router
}

/// The method that an operation is described with.
fn method_of<P: Path>() -> HttpMethod {
    P::methods()
        .into_iter()
        .next()
        .expect("the attribute of every handler begins with its method")
}

fn filter(method: &HttpMethod) -> MethodFilter {
    match method {
        HttpMethod::Get => MethodFilter::GET,
        HttpMethod::Post => MethodFilter::POST,
        HttpMethod::Put => MethodFilter::PUT,
        HttpMethod::Delete => MethodFilter::DELETE,
        HttpMethod::Options => MethodFilter::OPTIONS,
        HttpMethod::Head => MethodFilter::HEAD,
        HttpMethod::Patch => MethodFilter::PATCH,
        HttpMethod::Trace => MethodFilter::TRACE,
    }
}
