"""How CRMs are asked over HTTP: requests with retries, pages, and the text of their answers.

May use: sync.common, sync.common.threads.
Entry points: amounts, client, decoding, errors, overlap, pagination, retry, json_text, xml_text.
"""
