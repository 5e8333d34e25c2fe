"""What Grafana dashboards are made of, and what the panels of generate.py share."""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24


class Panel:
    """One panel: `queries` is a list of (PromQL, legend)."""

    def __init__(self, kind, title, queries, *, unit="short", width=8, height=8, text="", stack=False,
                 steps=None, mappings=None, columns=None):
        self.kind, self.title, self.queries, self.unit = kind, title, queries, unit
        self.width, self.height, self.text, self.stack = width, height, text, stack
        self.steps, self.mappings, self.columns = steps, mappings, columns

    def json(self, number, x, y):
        table = self.kind == "table"
        targets = [
            {"datasource": DATASOURCE, "expr": expr, "legendFormat": legend, "refId": chr(65 + i),
             **({"format": "table", "instant": True} if table else
                {"instant": True} if self.kind in ("stat", "bargauge") else {"range": True})}
            for i, (expr, legend) in enumerate(self.queries)]
        defaults = {"unit": self.unit}
        if self.steps:
            defaults["thresholds"] = {"mode": "absolute", "steps": [
                {"color": colour, "value": value} for value, colour in self.steps]}
        if self.mappings:
            defaults["mappings"] = [{"type": "value", "options": {
                value: {"text": text, "color": colour}
                for value, (text, colour) in self.mappings.items()}}]
        options = {}
        if self.kind == "stat":
            options = {"colorMode": "background" if self.steps or self.mappings else "value",
                       "reduceOptions": {"calcs": ["lastNotNull"]}, "textMode": "value_and_name"
                       if any(legend for _, legend in self.queries) else "value"}
        elif self.kind == "bargauge":
            options = {"displayMode": "gradient", "orientation": "horizontal",
                       "reduceOptions": {"calcs": ["lastNotNull"]}}
        elif self.kind == "timeseries":
            defaults["custom"] = {"fillOpacity": 25 if self.stack else 8, "showPoints": "never",
                                  **({"stacking": {"mode": "normal"}} if self.stack else {})}
            if self.unit in ("percentunit",):
                defaults["min"] = 0
            options = {"legend": {"displayMode": "list", "placement": "bottom"},
                       "tooltip": {"mode": "multi", "sort": "desc"}}
        panel = {
            "id": number, "type": self.kind, "title": self.title, "description": self.text,
            "datasource": DATASOURCE, "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": targets, "options": options,
            "fieldConfig": {"defaults": defaults, "overrides": []}}
        if table:
            # One row per label set; a column per query, named by its legend.
            names = {f"Value #{t['refId']}": t["legendFormat"] for t in targets}
            if len(targets) == 1:
                names = {"Value": targets[0]["legendFormat"]}
            panel["transformations"] = [
                {"id": "merge", "options": {}},
                {"id": "organize", "options": {
                    "excludeByName": {"Time": True}, "renameByName": names}}]
            units = self.columns or {}
            panel["fieldConfig"]["overrides"] = [
                {"matcher": {"id": "byName", "options": name},
                 "properties": [{"id": "unit", "value": unit}]} for name, unit in units.items()]
        return panel


def row(title):
    return title


def variable(name, query, *, label, several=False):
    return {"name": name, "label": label, "type": "query", "datasource": DATASOURCE,
            "query": {"query": query, "refId": name}, "definition": query, "refresh": 2, "sort": 1,
            "multi": several, "includeAll": several,
            **({"allValue": ".*", "current": {"text": "All", "value": "$__all"}} if several else {})}


def dashboard(uid, title, text, items, variables=()):
    panels, number, x, y, height = [], 0, 0, 0, 0
    for item in items:
        number += 1
        if isinstance(item, str):
            y, x, height = y + height, 0, 0
            panels.append({"id": number, "type": "row", "title": item, "collapsed": False,
                           "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}, "panels": []})
            y += 1
            continue
        if x + item.width > WIDTH:
            y, x, height = y + height, 0, 0
        panels.append(item.json(number, x, y))
        x, height = x + item.width, max(height, item.height)
    return {
        "uid": uid, "title": title, "description": text, "tags": ["sealane"], "editable": True,
        "schemaVersion": 39, "version": 1, "timezone": "browser", "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"}, "graphTooltip": 1,
        "links": [{"type": "dashboards", "tags": ["sealane"], "title": "Sealane", "asDropdown": True,
                   "includeVars": False, "keepTime": True}],
        "templating": {"list": [
            {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus",
             "current": {}}, *variables]},
        "annotations": {"list": []}, "panels": panels}


# --- What several panels share --------------------------------------------------------------------

RATE = "$__rate_interval"
ZERO_IS_GOOD = [(None, "green"), (1, "red")]
ZERO_IS_BETTER = [(None, "green"), (1, "orange")]
DAY = 86400
FULL = [(None, "green"), (0.75, "orange"), (0.9, "red")]
AGE = [(None, "green"), (30, "orange"), (60, "red")]


def quantile(q, metric, by="", where="", window=RATE):
    labels = f"le{', ' + by if by else ''}"
    return f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket{where}[{window}])))"


def stat(title, expr, **kwargs):
    return Panel("stat", title, [(expr, "")], **{"width": 4, "height": 4, **kwargs})


def lines(title, *queries, **kwargs):
    return Panel("timeseries", title, list(queries), **kwargs)
