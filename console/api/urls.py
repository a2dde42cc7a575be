"""/api/v1/."""

from __future__ import annotations

from django.urls import path, register_converter
from drf_spectacular.views import SpectacularAPIView

from console.accounts import api as accounts
from console.accounts import api_people as people
from console.accounts import api_preferences as preferences
from console.alerts import api as alerts
from console.api.open import closed_path
from console.chain import api as chain
from console.demo import api as demo
from console.events import api as events
from console.fleet import api as fleet
from console.history import api as history
from console.history import api_moments as moments
from console.jobs import api as jobs
from console.jobs import api_queue as queue
from console.jobs import api_templates as templates
from console.jobs import api_workers as workers
from console.lists import api as lists
from console.nodes import api as nodes
from console.placements import api as placements
from console.plans import api as plans
from console.policies import api as policies
from console.search import api as search
from console.storage import api as storage
from console.storage import api_plans as moves
from console.storage import api_pools as pools
from console.traffic import api as traffic
from console.traffic import api_secrets as traffic_secrets
from console.traffic import api_settings as traffic_settings
from console.traffic import api_weights as traffic_weights
from console.underway import api as underway


class NameConverter:
    """What a thing may be called in a path. NUL, which PostgreSQL refuses, and the like are paths that don't exist."""

    regex = r"[A-Za-z0-9][A-Za-z0-9._-]*"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(NameConverter, "name")

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("whoami/", accounts.WhoAmI.as_view()),
    path("tokens/", accounts.Tokens.as_view()),
    path("tokens/<name:key>/", accounts.Token.as_view()),
    path("preferences/", preferences.Preferences.as_view()),
    path("preferences/<name:key>/", preferences.OnePreference.as_view()),
    path("search/", search.Search.as_view()),
    path("search/opened/", search.Opened.as_view()),
    path("underway/", underway.Underway.as_view()),
    path("people/", people.People.as_view()),
    path("people/<int:person>/role/", people.PersonRole.as_view()),
    path("people/<int:person>/disable/", people.DisableOnePerson.as_view()),
    path("people/<int:person>/enable/", people.EnableOnePerson.as_view()),
    path("people/<int:person>/reset-second-factor/", people.ResetPersonSecondFactor.as_view()),
    path("people/<int:person>/password-link/", people.PersonPasswordLink.as_view()),
    path("status/", events.Status.as_view()),
    path("events/", events.Events.as_view()),
    path("host-tokens/", fleet.HostTokens.as_view()),
    path("hosts/", fleet.Hosts.as_view()),
    path("hosts/<name:name>/", fleet.OneHost.as_view()),
    path("hosts/<name:name>/cordon/", fleet.CordonHost.as_view()),
    path("hosts/<name:name>/uncordon/", fleet.UncordonHost.as_view()),
    path("hosts/<name:name>/drain/", fleet.DrainHost.as_view()),
    path("hosts/<name:name>/remove/", fleet.RemoveHost.as_view()),
    path("placements/", placements.Placements.as_view()),
    path("placements/preemption/", placements.Preemption.as_view()),
    path("placements/<uuid:placement>/", placements.OnePlacement.as_view()),
    path("placements/<uuid:placement>/release/", placements.ReleasePlacement.as_view()),
    path("plans/", plans.Plans.as_view()),
    path("plans/apply/", plans.ApplyOnePlan.as_view()),
    path("policies/", policies.Policies.as_view()),
    path("policy-defaults/", policies.PolicyDefaults.as_view()),
    path("policy-defaults/<name:kind>/", policies.OnePolicyDefault.as_view()),
    path("policy-defaults/<name:kind>/versions/", policies.PolicyVersions.as_view()),
    path("policy-defaults/<name:kind>/restore/", policies.RestorePolicy.as_view()),
    path("decisions/", placements.Decisions.as_view()),
    path("decisions/<uuid:decision>/", placements.OneDecision.as_view()),
    path("chain/", chain.ChainView.as_view()),
    path("services/", traffic.Services.as_view()),
    path("services/<name:name>/", traffic.OneService.as_view()),
    path("services/<name:name>/add-endpoint/", traffic.EndpointAction.as_view(verb="add")),
    path("services/<name:name>/remove-endpoint/", traffic.EndpointAction.as_view(verb="remove")),
    path("services/<name:name>/drain-endpoint/", traffic.EndpointAction.as_view(verb="drain")),
    path("services/<name:name>/close-endpoint/", traffic.EndpointAction.as_view(verb="close")),
    path("services/<name:name>/resume-endpoint/", traffic.EndpointAction.as_view(verb="resume")),
    path("services/<name:name>/weights/", traffic_weights.Weights.as_view()),
    path("services/<name:name>/weights/try/", traffic_weights.TriedWeights.as_view()),
    path("services/<name:name>/undo-weights/", traffic_weights.UndoneWeights.as_view()),
    path("services/<name:name>/settings/", traffic_settings.ServiceSettings.as_view()),
    path("services/<name:name>/preview/", traffic_settings.Preview.as_view()),
    path("certificates/", traffic_secrets.Certificates.as_view()),
    path("certificates/<name:name>/", traffic_secrets.OneCertificate.as_view()),
    path("api-keys/", traffic_secrets.ApiKeys.as_view()),
    path("api-keys/<name:name>/", traffic_secrets.OneApiKey.as_view()),
    path("engines/", nodes.Engines.as_view()),
    path("engines/publish/", nodes.Publish.as_view()),
    path("engines/tokens/", nodes.NodeTokens.as_view()),
    path("engines/tokens/<name:name>/", nodes.OneNodeToken.as_view()),
    path("history/around/", moments.AroundMoment.as_view()),
    path("demo/", demo.Demo.as_view()),
    path("history/at/", history.PastMoment.as_view()),
    path("history/cluster/", history.ClusterPast.as_view()),
    path("history/frame/", moments.PastFrame.as_view()),
    path("history/rosters/<int:roster>/", moments.OneRoster.as_view()),
    path("history/hosts/<name:name>/", history.HostPast.as_view()),
    path("alerts/", alerts.Alerts.as_view()),
    path("alerts/<int:alert>/", alerts.OneAlert.as_view()),
    path("alerts/<int:alert>/acknowledge/", alerts.AcknowledgeAlert.as_view()),
    path("alert-rules/", alerts.Rules.as_view()),
    path("alert-rules/<name:name>/", alerts.OneRule.as_view()),
    path("silences/", alerts.Silences.as_view()),
    path("silences/<int:silence>/end/", alerts.EndOneSilence.as_view()),
    path("channels/", alerts.Channels.as_view()),
    path("channels/<name:name>/", alerts.OneChannel.as_view()),
    path("channels/<name:name>/test/", alerts.ChannelTest.as_view()),
    path("history/hosts/<name:name>/marks/", history.HostMarks.as_view()),
    path("jobs/", jobs.Jobs.as_view()),
    path("jobs/many/", jobs.ManyJobs.as_view()),
    path("jobs/<uuid:job>/", jobs.OneJob.as_view()),
    path("jobs/<uuid:job>/cancel/", jobs.CancelJob.as_view()),
    path("jobs/<uuid:job>/log/", jobs.LogOfJob.as_view()),
    path("tenants/", queue.Tenants.as_view()),
    path("tenants/<name:name>/", queue.OneTenant.as_view()),
    path("schedules/", queue.Schedules.as_view()),
    path("schedules/<name:name>/", queue.OneSchedule.as_view()),
    path("tenant-shares/", queue.TenantShares.as_view()),
    path("process-templates/", templates.Templates.as_view()),
    path("process-templates/<slug:name>/", templates.OneTemplate.as_view()),
    path("workers/", workers.Workers.as_view()),
    path("task-profiles/", queue.TaskProfiles.as_view()),
    path("shards/", storage.Shards.as_view()),
    path("shards/<name:name>/", storage.OneShard.as_view()),
    path("shards/<name:name>/verify/", storage.VerifyOneShard.as_view()),
    path("rebalances/", moves.MovePlans.as_view()),
    path("rebalances/<int:plan>/", moves.OneMovePlan.as_view()),
    path("rebalances/<int:plan>/apply/", moves.ApplyOneMovePlan.as_view()),
    path("rebalances/<int:plan>/pause/", moves.PauseOneMovePlan.as_view()),
    path("rebalances/<int:plan>/resume/", moves.ResumeOneMovePlan.as_view()),
    path("rebalances/<int:plan>/cancel/", moves.CancelOneMovePlan.as_view()),
    path("rebalances/<int:plan>/undo/", moves.UndoOneMovePlan.as_view()),
    path("storage-capacity/", pools.Capacity.as_view()),
    path("storage-pools/", pools.Pools.as_view()),
    path("storage-pools/<name:name>/", pools.OnePool.as_view()),
    path("storage-pools/<name:name>/survey/", pools.SurveyOnePool.as_view()),
    path("bulk/", lists.Bulk.as_view()),
    path("bulk/<uuid:act>/", lists.OneBulk.as_view()),
    path("bulk/<uuid:act>/undo/", lists.UndoBulk.as_view()),
    path("<path:rest>", closed_path),
    path("", closed_path),
]
