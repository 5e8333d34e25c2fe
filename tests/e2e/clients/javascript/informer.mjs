// An informer over restarts of the gateway: informer.mjs KUBECONFIG NAMESPACE. Prints a line per change of
// a ConfigMap; the test around it restarts the gateway and writes on.
import * as k8s from '@kubernetes/client-node';

const [kubeconfig, namespace] = process.argv.slice(2);
const config = new k8s.KubeConfig();
config.loadFromFile(kubeconfig);
const api = config.makeApiClient(k8s.CoreV1Api);
const path = `/api/v1/namespaces/${namespace}/configmaps`;
const informer = k8s.makeInformer(config, path, () => api.listNamespacedConfigMap({ namespace }));
for (const what of ['add', 'update', 'delete']) {
  informer.on(what, (object) => console.log(`${what} ${object.metadata.name} ${object.data?.key ?? ''}`));
}
// The connection was lost: it goes on where it was, or lists again.
informer.on('error', () => setTimeout(() => informer.start(), 200));
informer.start();
process.stdin.on('end', () => process.exit(0)).resume();
