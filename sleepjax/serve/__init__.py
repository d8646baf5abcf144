"""Service: recordings and samples over HTTP, answered with sleep windows, events and pictures.

`app` has the addresses, `work` what is computed for them, `sessions` the streams that are open,
`guard` the limits of requests, `observed` what Prometheus reads, and `page.html` the page.
"""
