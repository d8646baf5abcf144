"""Service: recordings and samples over HTTP, answered with sleep windows, events and pictures.

`app` has the addresses, `work` what is computed for them, `sessions` the streams that are open,
`admission` which requests are refused, `observed` what Prometheus reads, and `page.html` the page.
"""
