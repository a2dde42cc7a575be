"""The pages' URLs."""

from __future__ import annotations

from django.urls import URLPattern, path

from console.accounts import look_page, second_factor_page, settings_page
from console.alerts import settings_pages as alert_settings
from console.alerts import views as alerts
from console.api import explorer
from console.chain import views as chain
from console.demo import views as demo
from console.events import views as events
from console.fleet import host_page, join_page, map_page
from console.fleet import views as fleet
from console.history import views as history
from console.jobs import queue_pages, shares_page, workers_page
from console.jobs import views as jobs
from console.lists import bulk_page
from console.lists import views as lists
from console.nodes import views as nodes
from console.placements import placements_page
from console.placements import views as placements
from console.plans import views as plans
from console.policies import views as policies
from console.search import views as search
from console.storage import capacity_page, plans_page, pools_page
from console.storage import views as storage
from console.traffic import endpoints_page
from console.traffic import secrets_page as traffic_secrets
from console.traffic import settings_page as traffic_settings
from console.traffic import views as traffic
from console.traffic import weights_page as traffic_weights
from console.underway import views as underway

urlpatterns: list[URLPattern] = [
    path("", map_page.cluster_map, name="map"),
    path("search/", search.search, name="search"),
    path("underway/", underway.underway, name="underway"),
    path("look/", look_page.look, name="look"),
    path("hosts/", fleet.hosts, name="hosts"),
    path("demo/start/", demo.start_demo, name="start-demo"),
    path("demo/remove/", demo.remove_demo, name="remove-demo"),
    path("hosts/add/", join_page.add_host, name="add-host"),
    path("hosts/add/<slug:token_id>/", join_page.joined, name="joined"),
    path("hosts/<slug:name>/", host_page.host, name="host"),
    path("hosts/<slug:name>/live/", host_page.host_live, name="host-live"),
    path("hosts/<slug:name>/siblings/", map_page.host_siblings, name="host-siblings"),
    path("hosts/<slug:name>/past/", history.host_past, name="host-past"),
    path("hosts/<slug:name>/<slug:verb>/", host_page.host_action, name="host-action"),
    path("chain/", chain.chain, name="chain"),
    path("chain/live/", chain.chain_live, name="chain-live"),
    path("plans/", plans.plans, name="plans"),
    path("plans/apply/", plans.apply_plan, name="apply-plan"),
    path("plans/drain/<slug:name>/", plans.drain_preview, name="drain-preview"),
    path("services/", traffic.services, name="services"),
    path("services/new/", traffic.new_service, name="new-service"),
    path("services/<slug:name>/", traffic.service, name="service"),
    path("services/<slug:name>/live/", traffic.service_live, name="service-live"),
    path("services/<slug:name>/tier/", traffic.tier_action, name="service-tier"),
    path("services/<slug:name>/endpoint/", traffic.endpoint_action, name="endpoint-action"),
    path("services/<slug:name>/weights/", traffic_weights.weights, name="weights"),
    path("services/<slug:name>/weights/live/", traffic_weights.weights_live, name="weights-live"),
    path("services/<slug:name>/weights/try/", traffic_weights.weights_tried, name="weights-tried"),
    path("services/<slug:name>/settings/", traffic_settings.service_settings, name="service-settings"),
    path("endpoints/", endpoints_page.endpoints, name="endpoints"),
    path("certificates/", traffic_secrets.certificates, name="certificates"),
    path("certificates/new/", traffic_secrets.new_certificate, name="new-certificate"),
    path("api-keys/new/", traffic_secrets.new_api_key, name="new-api-key"),
    path("api-keys/<slug:name>/remove/", traffic_secrets.api_key_action, name="api-key-action"),
    path("certificates/<slug:name>/remove/", traffic_secrets.certificate_action, name="certificate-action"),
    path("engines/", nodes.engines, name="engines"),
    path("engines/publish/", nodes.publish, name="publish"),
    path("jobs/", jobs.jobs, name="jobs"),
    path("jobs/queue/", queue_pages.queue, name="queue"),
    path("jobs/workers/", workers_page.workers, name="workers"),
    path("jobs/shares/", shares_page.shares, name="shares"),
    path("jobs/tenants/", queue_pages.set_tenant, name="set-tenant"),
    path("jobs/schedules/", queue_pages.schedules, name="schedules"),
    path("jobs/schedules/<slug:name>/remove/", queue_pages.remove_schedule, name="remove-schedule"),
    path("jobs/tasks/", queue_pages.tasks, name="tasks"),
    path("jobs/<uuid:job>/", jobs.job, name="job"),
    path("jobs/<uuid:job>/cancel/", jobs.cancel_job, name="cancel-job"),
    path("shards/", storage.shards, name="shards"),
    path("shards/<slug:name>/", storage.shard, name="shard"),
    path("shards/<slug:name>/verify/", storage.verify_shard, name="verify-shard"),
    path("shards/<slug:name>/measure/", storage.measure_shard, name="measure-shard"),
    path("shards/<slug:name>/remove/", storage.remove_shard, name="remove-shard"),
    path("storage-capacity/", capacity_page.capacity_page, name="storage-capacity"),
    path("storage-pools/", pools_page.pools, name="storage-pools"),
    path("storage-pools/<slug:name>/", pools_page.pool, name="storage-pool"),
    path("storage-pools/<slug:name>/survey/", pools_page.survey_pool, name="survey-storage-pool"),
    path("storage-pools/<slug:name>/remove/", pools_page.remove_pool, name="remove-storage-pool"),
    path("rebalances/", plans_page.rebalances, name="rebalances"),
    path("rebalances/<int:plan>/", plans_page.rebalance, name="rebalance"),
    path("rebalances/<int:plan>/undo/", plans_page.undo_rebalance, name="undo-rebalance"),
    path("rebalances/<int:plan>/<slug:verb>/", plans_page.rebalance_action, name="rebalance-action"),
    path("placements/", placements_page.placements, name="placements"),
    path("decisions/", placements.decisions, name="decisions"),
    path("decisions/<uuid:decision>/", placements.decision, name="decision"),
    path("alerts/", alerts.alerts, name="alerts"),
    path("alerts/live/", alerts.alerts_live, name="alerts-live"),
    path("alerts/silences/", alert_settings.silences, name="silences"),
    path("alerts/silences/<int:silence>/end/", alert_settings.end_silence, name="end-silence"),
    path("alerts/rules/", alert_settings.rules, name="alert-rules"),
    path("alerts/rules/<slug:name>/", alert_settings.change_rule, name="change-rule"),
    path("alerts/channels/", alert_settings.channels, name="channels"),
    path("alerts/channels/<slug:name>/test/", alert_settings.try_channel, name="try-channel"),
    path("alerts/channels/<slug:name>/remove/", alert_settings.remove_channel, name="remove-channel"),
    path("alerts/<int:alert>/", alerts.alert_page, name="alert"),
    path("alerts/<int:alert>/acknowledge/", alerts.acknowledge, name="acknowledge-alert"),
    path("api/", explorer.api_page, name="api"),
    path("api/explorer/", explorer.explorer, name="api-explorer"),
    path("settings/", settings_page.settings, name="settings"),
    path("settings/second-factor/", second_factor_page.second_factor, name="second-factor"),
    path("settings/people/new/", settings_page.new_person, name="new-person"),
    path("settings/people/<int:person>/link/", settings_page.person_link, name="person-link"),
    path("settings/people/<int:person>/<slug:verb>/", settings_page.person_action, name="person-action"),
    path("settings/tokens/new/", settings_page.new_token, name="new-token"),
    path("settings/tokens/<slug:key>/revoke/", settings_page.revoke_token, name="revoke-token"),
    path("settings/policies/", policies.policies, name="policies"),
    path("settings/policies/<slug:kind>/", policies.policy, name="policy"),
    path("settings/policies/<slug:kind>/restore/", policies.restore, name="restore-policy"),
    path("events/", events.events, name="events"),
    path("lists/<slug:listing>/views/", lists.list_views, name="list-views"),
    path("lists/<slug:listing>/columns/", lists.list_columns, name="list-columns"),
    path("bulk/", bulk_page.bulk, name="bulk"),
    path("bulk/do/", bulk_page.do_bulk, name="do-bulk"),
    path("bulk/<uuid:act>/", bulk_page.bulk_act, name="bulk-act"),
    path("bulk/<uuid:act>/undo/", bulk_page.undo_bulk, name="undo-bulk"),
    path("lists/<slug:listing>/<slug:form>/", lists.export, name="export"),
]
