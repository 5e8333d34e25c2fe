// Publishes manifests to a Sealane fleet and follows them until they are healthy everywhere. Needs
// nothing of Sealane but its .proto files: docs/events.md explains every subject and message used here.
//
//   SEALANE_BUS_URL=nats://127.0.0.1:4222 SEALANE_BUS_USER=platform-demo \
//   SEALANE_BUS_PASSWORD_FILE=bus/passwords/platform-demo \
//   node deploy.mjs FILE...
//
// Ends with exit code 0 when everything is healthy, with 1 when something was refused, with 2 when it
// did not become healthy in time.
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect, createInbox, ErrorCode, headers } from "nats";
import protobuf from "protobufjs";

const TIMEOUT_MS = 60_000;
// What configures the fleet itself has no health of its own; a namespace goes where its content goes.
const FLEET_GROUPS = ["policy.karmada.io", "cluster.karmada.io"];
const hasHealth = (ref) => !FLEET_GROUPS.includes(groupOf(ref)) && ref.kind !== "Namespace";

// --- The contract ----------------------------------------------------------------------------------

const protoDirectory = join(dirname(fileURLToPath(import.meta.url)), "../../../proto");
const root = new protobuf.Root();
root.resolvePath = (_origin, target) => join(protoDirectory, target);
await root.load(["deploy", "app", "query"].map((name) => `sealane/v1/${name}.proto`));
const DeployEvent = root.lookupType("sealane.v1.DeployEvent");
const DeployResult = root.lookupType("sealane.v1.DeployResult");
const AppStatus = root.lookupType("sealane.v1.AppStatus");
const QueryRequest = root.lookupType("sealane.v1.QueryRequest");
const QueryReply = root.lookupType("sealane.v1.QueryReply");

const encode = (type, value) => type.encode(type.create(value)).finish();
const nameOf = (ref) => `${ref.kind} ${ref.namespace ? ref.namespace + "/" : ""}${ref.name}`;
const groupOf = (ref) => (ref.apiVersion.includes("/") ? ref.apiVersion.split("/")[0] : "");

// --- Asking and publishing -------------------------------------------------------------------------

// Sends a question and collects the parts of its answer, up to the one marked as the end.
async function ask(connection, subject, request) {
  const inbox = createInbox();
  const answers = connection.subscribe(inbox, { timeout: 10_000 });
  connection.publish(subject, encode(QueryRequest, request), { reply: inbox });
  const parts = [];
  for await (const message of answers) {
    const part = QueryReply.decode(message.data);
    if (part.error) throw new Error(`${subject}: ${part.error}`);
    parts.push(part);
    if (part.end) break;
  }
  return parts;
}

// Publishes the event and waits for the answer of each operation.
async function deploy(connection, manifests) {
  const id = randomUUID();
  const event = {
    id,
    publisher: "examples/clients/javascript",
    operations: manifests.map((manifest) => ({ type: 1 /* APPLY */, ...manifest })),
    createdMicros: Date.now() * 1000,
  };
  // Listen first, then publish: the answer may come before the acknowledgement.
  const results = connection.subscribe(`deployed.${id}`, { max: 1, timeout: TIMEOUT_MS });
  const header = headers();
  header.set("Nats-Msg-Id", id); // publishing the same event again does not store it twice
  const ack = await connection.request("deploy", encode(DeployEvent, event), {
    headers: header,
    timeout: 10_000,
  });
  console.log(`event ${id} is stored: ${ack.string()}`);
  try {
    for await (const message of results) return DeployResult.decode(message.data);
  } catch (error) {
    if (error.code !== ErrorCode.Timeout) throw error;
  }
  // The answer can get lost, but it is kept: ask for it. Do not publish a stored event again.
  for (const part of await ask(connection, "results", { name: id })) {
    if (part.body.length > 0) return DeployResult.decode(part.body);
  }
  throw new Error(`event ${id} is stored, but not answered yet: ask results.<platform> for it later`);
}

// --- The whole path --------------------------------------------------------------------------------

// One operation carries one manifest: cut the files at their document separators.
async function readManifests(paths) {
  const manifests = [];
  for (const path of paths) {
    const documents = (await readFile(path, "utf8")).split(/^---(?=\s|$)/m);
    documents
      .filter((text) => text.replace(/^\s*#.*$/gm, "").trim() !== "")
      .forEach((text, index) =>
        manifests.push({ manifest: Buffer.from(text), source: `${path}#${index + 1}` }),
      );
  }
  return manifests;
}

async function main(paths) {
  const connection = await connect({
    servers: process.env.SEALANE_BUS_URL,
    user: process.env.SEALANE_BUS_USER,
    pass: (await readFile(process.env.SEALANE_BUS_PASSWORD_FILE, "utf8")).trim(),
  });
  try {
    return await deployAndFollow(connection, paths);
  } finally {
    await connection.close();
  }
}

async function deployAndFollow(connection, paths) {
  // Follow before publishing, so that no change is missed.
  const changes = connection.subscribe("app-status.>");

  const result = await deploy(connection, await readManifests(paths));
  for (const operation of result.results) {
    const outcome = operation.accepted ? `accepted, generation ${operation.generation}` : "refused";
    console.log(`${operation.object ? nameOf(operation.object) : operation.source}: ${outcome}`);
    for (const error of operation.errors) {
      console.log(`  ${operation.source}: ${error.field}: ${error.reason}: ${error.message}`);
    }
  }
  if (!result.accepted) return 1;

  // What must become healthy, and which generation of it.
  const waiting = new Map();
  for (const { object, generation } of result.results) {
    if (hasHealth(object)) waiting.set(nameOf(object), Number(generation));
  }
  const look = (app) => {
    const name = nameOf(app.ref);
    if (!waiting.has(name)) return;
    const replicas = app.replicas?.wanted ? `, ${app.replicas.ready}/${app.replicas.wanted} ready` : "";
    console.log(`${name}: ${app.phase}${replicas}`);
    if (app.phase === "Healthy" && Number(app.observedGeneration) >= waiting.get(name)) {
      waiting.delete(name);
    }
  };
  // What was already so before we listened does not change any more: ask once.
  for (const part of await ask(connection, "query.status", { what: "apps" })) part.apps.forEach(look);

  const timer = setTimeout(() => changes.unsubscribe(), TIMEOUT_MS);
  if (waiting.size > 0) {
    for await (const message of changes) {
      if (message.data.length > 0) look(AppStatus.decode(message.data)); // empty: the row is gone
      if (waiting.size === 0) break;
    }
  }
  clearTimeout(timer);
  if (waiting.size > 0) {
    console.log(`not healthy within ${TIMEOUT_MS / 1000} s: ${[...waiting.keys()].join(", ")}`);
  } else {
    console.log("everything is healthy");
  }
  return waiting.size > 0 ? 2 : 0;
}

process.exitCode = await main(process.argv.slice(2));
