def test_x(cluster, api):
    cluster.add("web-1"); cluster.add("web-2", cpu=2.0)
    r = api.operator.post("/api/v1/placements/", {"kind":"job","name":"j","demand":{"cpu":1}}, format="json")
    assert r.status_code == 201, r.content
    print(r.json())
    assert cluster.reserved("web-1") == 1.0
def test_y(cluster, api):
    cluster.add("web-1")
