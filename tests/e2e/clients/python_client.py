"""What a platform in Python does: Debian's client library against a gateway. Run with Debian's own
interpreter by gateway_clients_test.py: python_client.py KUBECONFIG"""

import sys

from kubernetes import client, config, watch

NAMESPACE = "python"


def deployment(image):
    labels = {"app": "web"}
    return client.V1Deployment(
        metadata=client.V1ObjectMeta(name="web", labels=labels),
        spec=client.V1DeploymentSpec(
            replicas=2, selector=client.V1LabelSelector(match_labels=labels),
            template=client.V1PodTemplateSpec(
                metadata=client.V1ObjectMeta(labels=labels),
                spec=client.V1PodSpec(containers=[client.V1Container(name="main", image=image)]))))


def policy():
    return {
        "apiVersion": "policy.karmada.io/v1alpha1", "kind": "PropagationPolicy",
        "metadata": {"name": "web"},
        "spec": {"resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}],
                 "placement": {"clusterAffinity": {"clusterNames": ["aws-virginia"]}}}}


def watch_until(call, revision, done, **more):
    """Follows from a revision until an event is what is waited for; returns it and its revision."""
    for event in watch.Watch().stream(call, NAMESPACE, resource_version=revision,
                                      timeout_seconds=60, **more):
        revision = event["object"].metadata.resource_version
        if done(event):
            return event, revision
    raise SystemExit("the watch ended before what it waited for")


def main(kubeconfig):
    config.load_kube_config(kubeconfig)
    core, apps, custom = client.CoreV1Api(), client.AppsV1Api(), client.CustomObjectsApi()
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=NAMESPACE)))
    custom.create_namespaced_custom_object(
        "policy.karmada.io", "v1alpha1", NAMESPACE, "propagationpolicies", policy())
    made = apps.create_namespaced_deployment(NAMESPACE, deployment("shop/web:1"))
    assert made.metadata.uid and made.spec.replicas == 2, made
    event, revision = watch_until(
        apps.list_namespaced_deployment, made.metadata.resource_version,
        lambda e: e["object"].status.ready_replicas == 2)
    assert event["type"] == "MODIFIED", event["type"]
    # The watch has ended; it goes on where it was.
    patched = apps.patch_namespaced_deployment(
        "web", NAMESPACE, {"spec": {"replicas": 3}, "metadata": {"labels": {"tier": "front"}}})
    assert patched.spec.replicas == 3, patched
    event, revision = watch_until(
        apps.list_namespaced_deployment, revision,
        lambda e: e["object"].status.ready_replicas == 3, label_selector="tier=front")
    listed = apps.list_namespaced_deployment(NAMESPACE, label_selector="tier=front", limit=1)
    assert [d.metadata.name for d in listed.items] == ["web"], listed
    scale = apps.read_namespaced_deployment_scale("web", NAMESPACE)
    assert scale.spec.replicas == 3, scale
    try:
        apps.create_namespaced_deployment(NAMESPACE, deployment("shop/web:1"))
        raise SystemExit("it could be created twice")
    except client.ApiException as error:
        assert error.status == 409, error
    apps.delete_namespaced_deployment("web", NAMESPACE)
    event, _ = watch_until(
        apps.list_namespaced_deployment, revision, lambda e: e["type"] == "DELETED")
    assert event["object"].metadata.name == "web", event
    clusters = custom.list_cluster_custom_object("cluster.karmada.io", "v1alpha1", "clusters")
    print("clusters", sorted(c["metadata"]["name"] for c in clusters["items"]))


if __name__ == "__main__":
    main(sys.argv[1])
