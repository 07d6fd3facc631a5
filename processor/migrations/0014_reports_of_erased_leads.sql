-- A refresh of the reports that ran beside an erasure could write the erased lead's report again.

DELETE FROM lead_reports r WHERE NOT EXISTS (SELECT FROM leads l WHERE l.lead_id = r.lead_id);
